"""The type checker that enforces annotations in tests: beartype, with int accepted as float."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
