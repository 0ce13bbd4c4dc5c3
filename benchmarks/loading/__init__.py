"""Loading: rows of images into PostgreSQL through peers and through ours."""
