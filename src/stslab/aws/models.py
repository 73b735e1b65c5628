"""botocore's models of AWS's APIs: found by their folders' names, and read once a process."""

import functools
import os

from botocore.loaders import Loader


class _BuiltIn(Loader):  # type: ignore[misc] # botocore has no types
    """Botocore's own models, and none from the user's ``~/.aws``.

    Botocore's loader looks into the folder of each of its 400 services before it reads a
    model of one of them, anew for each kind of model: here the folders' names are enough.
    """

    def __init__(self) -> None:
        super().__init__(include_default_search_paths=False)
        self.search_paths.append(Loader.BUILTIN_DATA_PATH)

    def list_available_services(self, type_name: str) -> list[str]:
        """The names of all services, whatever models there are of them."""
        del type_name
        with os.scandir(Loader.BUILTIN_DATA_PATH) as found:
            return sorted(one.name for one in found if one.is_dir())


@functools.cache
def loader() -> Loader:
    """What reads botocore's models, and keeps them for whoever asks next."""
    return _BuiltIn()
