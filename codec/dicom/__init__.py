"""DICOM data sets as bytes: tags, VRs, transfer syntaxes, dictionary, events, parser, encoder (PS3.5, PS3.6)."""
