"""What can be wrong with a wire or a device; every decoder raises these and nothing else."""


class DeviceError(Exception):
    """The wire or the device failed; the source tries again, and after a while the point is missing."""


class Timeout(DeviceError):
    """Nothing, or too little, came in time."""


class BadFrame(DeviceError):
    """Bytes came that are no frame of this device: wrong start, length, unit, function or field."""


class BadChecksum(BadFrame):
    """A whole frame came whose check fails."""


class DeviceFault(DeviceError):
    """The device answered, in good form, that it cannot answer: an exception code, an error state."""


class NotReady(DeviceError):
    """The device answered, in good form, that it has no new value yet."""
