"""From a video file to a video file: source, encode, mux."""
