"""Where a batch keeps its files in the data bucket (docs/architecture.md, "Object layout")."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Files:
    """Keys of one batch."""

    batch_id: str

    @property
    def root(self) -> str:
        return f"batches/{self.batch_id}"

    @property
    def inspections(self) -> str:
        return f"{self.root}/inspected/"

    @property
    def inventory(self) -> str:
        return f"{self.root}/inventory.jsonl"

    @property
    def estimate(self) -> str:
        return f"{self.root}/estimate.json"

    @property
    def beside(self) -> str:
        return f"{self.root}/beside.json"

    @property
    def side_files(self) -> str:
        return f"{self.root}/side-files.jsonl"

    @property
    def annotations(self) -> str:
        return f"{self.root}/annotations.manifest"

    @property
    def inspect_items(self) -> str:
        return f"{self.root}/shards/inspect.jsonl"

    def shard(self, name: str) -> str:
        return f"{self.root}/shards/{name}.jsonl"

    def inspected(self, shard: str) -> str:
        return f"{self.inspections}{shard}.jsonl"

    def moved(self, round_number: int) -> str:
        """Inspections of images that changed under their key; behind the others of that folder in key order."""
        return f"{self._moves}{round_number:04d}.jsonl"

    def moved_later(self, key: str, round_number: int) -> bool:
        """Whether this file of inspections holds names that images have only in a later round."""
        return key.startswith(self._moves) and key > self.moved(round_number)

    @property
    def _moves(self) -> str:
        return f"{self.inspections}moved-"

    def changed(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-changed.jsonl"

    def round(self, number: int) -> str:
        return f"{self.root}/rounds/{number}.json"

    def copies(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-copies.jsonl"

    def own_verdicts(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-own-verdicts.json"

    def audit(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-audit.json"

    def uninspected(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-uninspected.jsonl"

    def predictions(self, round_number: int) -> str:
        return f"{self.root}/predictions/{round_number}/"

    def control(self, round_number: int) -> str:
        """Where the answer about an image goes that only shows whether the endpoint still answers."""
        return f"{self.root}/predictions/{round_number}-control/"

    def inference(self, round_number: int) -> str:
        return f"{self.root}/rounds/{round_number}-inference.json"

    def decisions(self, round_number: int) -> str:
        return f"{self.root}/decisions/{round_number}.jsonl"

    def labeling(self, round_number: int) -> str:
        return f"{self.root}/labeling/{round_number}"

    def jobs(self, round_number: int) -> str:
        return f"{self.labeling(round_number)}/jobs/"

    def job(self, round_number: int, index: int) -> str:
        return f"{self.jobs(round_number)}{index}.json"

    def job_manifest(self, round_number: int, job: str) -> str:
        return f"{self.labeling(round_number)}/{job}.manifest"

    def output(self, round_number: int, job: str) -> str:
        """What people answered: Ground Truth's layout, which every backend keeps."""
        return f"{self.labeling(round_number)}/{job}/manifests/output/output.manifest"

    def honeypots(self, round_number: int) -> str:
        return f"{self.labeling(round_number)}/honeypots.jsonl"

    def answers(self, round_number: int, job: str) -> str:
        return f"{self.labeling(round_number)}/answers/{job}.jsonl"

    def workers(self, round_number: int, job: str) -> str:
        return f"{self.labeling(round_number)}/workers/{job}.json"

    @property
    def imported_labels(self) -> str:
        return f"{self.labeling(0)}/output.manifest"

    @property
    def imported(self) -> str:
        return f"{self.labeling(0)}/import.json"

    def round_annotations(self, round_number: int) -> str:
        return f"{self.root}/annotations/{round_number}.manifest"
