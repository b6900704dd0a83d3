"""How files are read: as they lie, or through a view of them (a GDAL virtual raster) that puts right what they hold."""
