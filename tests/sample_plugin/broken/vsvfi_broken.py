"""A plugin that does not import, as one whose own dependency is missing."""

import a_library_nobody_has  # type: ignore[import-not-found]  # noqa: F401
