"""What a date costs where there are thousands of small ones."""
