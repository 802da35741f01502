"""What became of tags."""

from tasks.daily import DailyTask


class TaxonChangesDaily(DailyTask):
    """What was tagged and untagged on one UTC day."""

    dataset = "taxon_changes"
