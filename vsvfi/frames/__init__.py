"""Where the planes of a frame live, and how they get from one place to another."""
