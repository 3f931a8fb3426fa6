"""The stack that unit tests pretend to run in: its names, and the environment its functions get."""

BUCKET, CALLBACKS, LEDGER = "data-bucket", "callbacks-table", "ledger-table"
REGION, ACCOUNT = "us-east-1", "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/labelloop-yolo:latest"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
PLATFORM = {
    "POWERTOOLS_SERVICE_NAME": "unit",
    "POWERTOOLS_METRICS_NAMESPACE": "labelloop",
    "POWERTOOLS_METRICS_DISABLED": "true",
}


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


SETTINGS = {
    "DATA_BUCKET": BUCKET,
    "CALLBACKS_TABLE": CALLBACKS,
    "LEDGER_TABLE": LEDGER,
    "NOTIFICATION_TOPIC": arn("sns", "notices"),
    "SUCCESS_TOPIC": arn("sns", "success"),
    "ERROR_TOPIC": arn("sns", "errors"),
    "RESOURCE_PREFIX": "labelloop",
    "LABEL_BATCH_ARN": arn("states", "stateMachine:labelloop-LabelBatch"),
    "TRAIN_MODEL_ARN": arn("states", "stateMachine:labelloop-TrainModel"),
    "TASK": "boxes",
    "CLASSES": "head,bag",
    "KEY_POINTS": "nose,left eye,right eye",
    "SEED": "7",
    "STARTING_MODEL": "",
    "MAX_IMAGE_BYTES": "40000000",
    "MAX_IMAGE_PIXELS": "50000000",
    "MIN_IMAGE_SIDE": "32",
    "SHARD_SIZE": "2",
    "SAMPLE_RATE": "0.5",
    "SAMPLE_MINIMUM": "1",
    "CALIBRATION_SHARE": "0.25",
    "GOLD_SHARE": "0.25",
    "HUMAN_BUDGET": "3",
    "MAX_ROUNDS": "4",
    "ACCEPT_POLICY": "fixed",
    "ACCEPT_THRESHOLD": "0.5",
    "TARGET_MEAN_IOU": "0.8",
    "KEEP_CONFIDENCE": "0.25",
    "CALIBRATION_MINIMUM": "1",
    "RETRAIN_MINIMUM": "2",
    "GOLD_MINIMUM": "1",
    "FIRST_MODEL_MAP50": "0.3",
    "PROMOTION_TOLERANCE": "0.0",
    "IMAGE_SIZE": "160",
    "TRAINING_STEPS": "300",
    "WARM_STEPS": "150",
    "TRAINING_BATCH_SIZE": "8",
    "LEARNING_RATE": "0.004",
    "BASE_MODEL": "tiny.yaml",
    "MODEL_WIDTH": "0.125",
    "TRAINING_IMAGE": IMAGE,
    "TRAINING_INSTANCE_TYPE": "ml.g4dn.xlarge",
    "TRAINING_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/training",
    "INFERENCE_IMAGE": IMAGE,
    "INFERENCE_INSTANCE_TYPE": "ml.g4dn.xlarge",
    "INFERENCE_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/inference",
    "MAX_INSTANCES": "2",
    "CONCURRENT_INVOCATIONS": "4",
    "INFERENCE_QUEUE_SECONDS": "3600",
    "INVOCATION_TIMEOUT_SECONDS": "900",
    "INFERENCE_CONCURRENCY": "8",
    "INSPECT_CONCURRENCY": "8",
    "KEPT_ENDPOINTS": "2",
    "LABELING_BACKEND": "ground-truth",
    "WORK_TEAM_ARN": arn("sagemaker", "workteam/private-crowd/labelloop"),
    "LABELING_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/labeling",
    "PRE_ANNOTATE_FUNCTION_ARN": arn("lambda", "function:labelloop-PreAnnotate"),
    "CONSOLIDATE_FUNCTION_ARN": arn("lambda", "function:labelloop-Consolidate"),
    "WORKERS_PER_OBJECT": "1",
    "LABELING_INSTRUCTIONS": "",
    "TASK_TIME_LIMIT_SECONDS": "600",
    "LABELING_TIMEOUT_SECONDS": "86400",
    "TRAINING_TIMEOUT_SECONDS": "7200",
    "DEPLOYMENT_TIMEOUT_SECONDS": "1800",
}
