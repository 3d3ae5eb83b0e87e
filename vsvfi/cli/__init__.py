"""The command line: app.py gathers the commands, one file each."""
