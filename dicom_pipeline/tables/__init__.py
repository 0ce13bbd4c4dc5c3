"""Values become Arrow: schemas from the field table, staged metadata, image rows, state rows, rejects."""
