"""The one error that is the user's to mend."""


class InputError(ValueError):
    """Something given from outside cannot be used: the message is one line saying what, where, what was expected."""
