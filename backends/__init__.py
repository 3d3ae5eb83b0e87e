"""The model families that come with vsvfi, a folder each, registered through entry points like anybody's plugin."""
