"""What Luigi makes its schedulers and workers with."""

import luigi.interface


def use(factory: type) -> None:
    """Let Luigi's command line make schedulers and workers with a factory.

    `luigi.build` and `luigi.run` take one as an argument; the command line has no way to name one.
    """
    luigi.interface._WorkerSchedulerFactory = factory  # noqa: SLF001
