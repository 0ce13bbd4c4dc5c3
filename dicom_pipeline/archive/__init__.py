"""Files before anybody looks inside them: layouts, listing, fingerprints, the date index."""
