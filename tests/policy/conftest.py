"""How properties are tested: a busy machine is no defect, so no example has a deadline."""

from hypothesis import settings

settings.register_profile("stslab", deadline=None)
settings.load_profile("stslab")
