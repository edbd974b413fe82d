"""DICOM and its digital signatures as pure functions and objects: bytes in, bytes or events out, standard library only."""
