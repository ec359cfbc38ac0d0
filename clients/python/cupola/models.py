"""What the API takes and answers, as types.

Made by `make python-client` from docs/openapi.json: do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict, Union


class Acceptance(TypedDict):
    # Of somebody who is new here.
    name: NotRequired[str | None]
    # Of somebody who is new, the one they choose, at least 12 characters; of somebody who is not, theirs. Not
    # needed with a credential of theirs as `Authorization`.
    password: NotRequired[str | None]
    token: str


Activation: TypeAlias = Literal[
    "linear",
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softmax",
]


class AddedServiceAccount(TypedDict):
    email: str
    id: UserId
    role: Role


class AdviceDraft(TypedDict):
    """Either `dataset` or `job`."""
    # What could be trained on it.
    dataset: NotRequired[str | None]
    # A training that has ended: what its figures say, and what to try next.
    job: NotRequired[JobId | None]
    # The column to predict; guessed if absent.
    target: NotRequired[str | None]
    # Of the dataset; the newest if absent.
    version: NotRequired[int | None]


AdviceView: TypeAlias = Union["StartView", "RunView"]


# How it has to end (Slurm: afterok, afternotok, afterany). If it ends otherwise, the job that waits for it
# fails.
AfterCondition: TypeAlias = Literal["success", "failure", "any"]


class AfterDraft(TypedDict):
    """A job that has to end first."""
    # `success` if absent.
    condition: NotRequired[AfterCondition | None]
    job: str


class AliasTarget(TypedDict):
    version: int


class AliasView(TypedDict):
    alias: str
    changed_at: str
    version: int


class AmountDraft(TypedDict):
    accelerator_milli: NotRequired[int | None]
    cpu_milli: NotRequired[int | None]
    memory_bytes: NotRequired[int | None]


ApiKeyId: TypeAlias = str


class AttemptView(TypedDict):
    assigned_at: str
    cause: NotRequired[CauseView | None]
    ended_at: NotRequired[str | None]
    number: int
    # `succeeded`, `failed`, `stopped` or `lost`; absent while it is live.
    outcome: NotRequired[str | None]
    # The checkpoint that it went on from.
    resumed_from_step: NotRequired[int | None]
    started_at: NotRequired[str | None]
    # Absent while it is live.
    used: NotRequired[UsedView | None]
    # Of several, the first.
    worker: WorkerId
    workers: int


Attribution: TypeAlias = Union["AttributionFeature", "AttributionToken"]


class AttributionFeature(TypedDict):
    attribution: float
    feature: str


class AttributionToken(TypedDict):
    attribution: float
    token: str


class AuditHead(TypedDict):
    """A record's place in the chain of its tenant, counted from 1, and the hash that binds it there. Of the last
    one, the head of the chain: whoever keeps it elsewhere can tell whether anything up to it was changed
    since, by whomever.
    """
    hash: Digest
    place: int
    # Null: the platform's.
    tenant: NotRequired[TenantId | None]


class AuditSeal(TypedDict):
    """A record's place in the chain of its tenant, counted from 1, and the hash that binds it there. Of the last
    one, the head of the chain: whoever keeps it elsewhere can tell whether anything up to it was changed
    since, by whomever.
    """
    hash: Digest
    place: int


class Augmentation(TypedDict):
    """Random changes of training batches; never of validation, test or prediction."""
    # Standard deviation of noise, as a share of the full range.
    gaussian_noise: NotRequired[float]
    horizontal_flip: NotRequired[bool]
    # Up to this share of the full range brighter or darker.
    random_brightness: NotRequired[float]
    # Images are padded by so many pixels and cut back to their size at a random place.
    random_crop: NotRequired[int]
    # Up to so many degrees either way.
    random_rotation: NotRequired[float]
    # Up to this share larger or smaller.
    random_scale: NotRequired[float]
    # The chance of each token to be replaced by the unknown token.
    token_dropout: NotRequired[float]
    vertical_flip: NotRequired[bool]


# What becomes of rows that the model cannot read.
BadRows: TypeAlias = Literal["fail", "list"]


class Base(TypedDict):
    # Publisher and name.
    model: str
    revision: Revision
    version: int


class BaseModel(TypedDict):
    """The version whose weights a training starts from, by content: what the name says may change, this does
    not.
    """
    config_sha256: Digest
    # Publisher and name.
    model: str
    version: int
    weights_sha256: Digest


class BatchRequest(TypedDict):
    # Of rows that the model cannot read: `fail` ends the job at the first, `list` goes on.
    bad_rows: NotRequired[BadRows]
    # A dataset of the caller's own.
    dataset: str
    # Seconds that an attempt may run; an hour if absent.
    max_runtime: NotRequired[int | None]
    # Its version; the newest if absent.
    version: NotRequired[int | None]


class BatchView(TypedDict):
    """Of a job that asks a version about all rows of its dataset."""
    bad_rows: BadRows
    # Of the answers; null before there are some, and after it was deleted.
    file: NotRequired[ResultFile | None]
    # Publisher and name.
    model: str
    # Absent until the job has succeeded.
    result: NotRequired[Predicted | None]
    version: int


class BestView(TypedDict):
    """Of the jobs that succeeded, the one whose metric has reached the best value."""
    job: JobId
    point: dict[str, Any]
    value: float


class BudgetDraft(TypedDict):
    """In all, with what was spent before; no limit where absent."""
    accelerator_hours: NotRequired[float | None]
    credits: NotRequired[float | None]


class BudgetView(TypedDict):
    """What a tenant may spend, in all. `null`: no limit."""
    granted: SpendLimitView
    left: SpendLimitView
    # What live attempts may still cost: a job starts only if it is within what is left beside that.
    reserved: SpendView
    # What has ended since then is counted as spent.
    since: str
    spent: SpendView


# Each as sine and cosine of its place in the cycle.
CalendarFeature: TypeAlias = Literal[
    "hour_of_day",
    "day_of_week",
    "day_of_month",
    "month_of_year",
    "day_of_year",
]


CalibrationBin = TypedDict(
    "CalibrationBin",
    {
        # Probabilities above this (in the first bin 0 too) ...
        "from": "float",
        "mean_predicted": "float",
        "rows": "int",
        "share_positive": "float",
        # ... up to this.
        "to": "float",
    },
)


class CauseView(TypedDict):
    """Why something ended or failed, in words that a person can act on."""
    # Stable, for programs: `loss_not_finite`, `lease_lost`, `out_of_memory`, …
    code: str
    message: str
    # Whether another try may end differently.
    retryable: bool
    # What helps.
    remedy: NotRequired[str | None]


class ChangeView(TypedDict):
    """The one change."""
    # The run's own specification with it. Can be submitted as it is.
    spec: TrainingDraft
    # Which, in words.
    what: str


class Chars(TypedDict):
    max: int
    mean: float


ClassProbability = TypedDict(
    "ClassProbability",
    {
        "class": "str",
        "probability": "float",
    },
)


ClassReport = TypedDict(
    "ClassReport",
    {
        "class": "str",
        # The harmonic mean of both.
        "f1": "float",
        # Correct ones among those predicted to be of the class; 0 if there is none.
        "precision": "float",
        # Correct ones among those truly of the class; 0 if there is none.
        "recall": "float",
        # Rows truly of the class.
        "support": "int",
    },
)


# How much each class counts in the loss.
ClassWeight: TypeAlias = Union[Literal["balanced"], "ClassWeightGiven"]


class ClassWeightGiven(TypedDict):
    given: dict[str, float]


class CollectionView(TypedDict):
    created_at: str
    description: str
    # `tenant/name`, in their order: those that the caller sees.
    models: list[str]
    name: str
    tenant: str
    title: str
    url: str
    visibility: Visibility


class ColumnPreprocess(TypedDict):
    """Overrides for one column."""
    # The order of an ordinal encoding, lowest first; by frequency if absent.
    categories: NotRequired[list[str] | None]
    encoding: NotRequired[Encoding | None]
    fill_value: NotRequired[float | None]
    imputation: NotRequired[Imputation | None]
    # Take numbers as categories, or dates as text.
    kind: NotRequired[FeatureKind | None]
    scaling: NotRequired[Scaling | None]


class ColumnProfile(TypedDict):
    # Of text: how long a value is on average and at most.
    chars: NotRequired[Chars | None]
    # Distinct values without missing ones; exact up to 10,000, where counting stops.
    distinct: int
    distinct_is_exact: bool
    # Of images: height, width and channels of the first one.
    image: NotRequired[list[int] | None]
    # Rows that hold `inf` or `-inf` in a numeric column.
    infinite: int
    max: NotRequired[float | None]
    mean: NotRequired[float | None]
    # Of finite values, for numeric columns.
    min: NotRequired[float | None]
    # Rows in which the cell is empty, `NA`, `N/A`, `NaN`, `null`, `None` or `?`.
    missing: int
    name: str
    type: ColumnType
    # The distribution of values, most frequent first, for columns with at most 1,000 distinct values: the
    # label balance when the column is a target.
    values: NotRequired[list[ValueCount] | None]


ColumnType: TypeAlias = Literal[
    "integer",
    "float",
    "boolean",
    "categorical",
    "text",
    "date",
    "image",
    "empty",
]


class ComparedMetric(TypedDict):
    a: NotRequired[float | None]
    b: NotRequired[float | None]
    # b - a, where both have it.
    difference: NotRequired[float | None]
    # Of the difference, 95 %: row by row, so that what is hard for both does not count. Null where the metric
    # is not the mean of what the rows have, or there are fewer than 30 rows.
    interval: NotRequired[list[float] | None]
    name: str


class Comparison(TypedDict):
    """What an evaluation of two models has found."""
    metrics: list[ComparedMetric]
    # That both were judged on.
    rows: int


class ComparisonView(TypedDict):
    # As `tenant/model:version`.
    a: str
    b: str
    # Both judged on the same rows, by jobs of the caller's tenant: the newest first.
    evaluations: list[EvaluationView]
    # All that either has of its own training, by name.
    metrics: list[MetricDifference]
    # Whether both were trained on the same bytes; null where one was not trained here.
    same_data: NotRequired[bool | None]
    # Whether the weights are the same, to the byte; null where one has none.
    same_weights: NotRequired[bool | None]
    # Of the specifications, by path; null where one has no such value.
    specification: list[Difference]


Compression: TypeAlias = Literal["none", "gzip", "zstd"]


class ConcurrencyDraft(TypedDict):
    """Either a list of layers, or a family and what it should have other than its defaults."""
    # 1 to 100 characters of your choice.
    key: str
    # 1 if absent. Of different limits under one key the smallest holds.
    limit: NotRequired[int | None]


class ConcurrencyView(TypedDict):
    """Of the tenant's jobs with this key, so many run at once."""
    key: str
    limit: int


class CreatedPool(TypedDict):
    accelerator: NotRequired[str | None]
    id: PoolId
    name: Name


class CreatedTenant(TypedDict):
    # For its first owner.
    invitation: IssuedInvitation
    tenant: TenantView


class Credentials(TypedDict):
    email: str
    password: str
    # Slug of the tenant to work in, for who belongs to several.
    tenant: NotRequired[str | None]


class CrossValidation(TypedDict):
    """`folds` models are trained, each validated on the part that the others were trained on; then one on all
    rows, which is published.
    """
    folds: int
    # Each fold with the classes in the same shares.
    stratified: bool


Curve: TypeAlias = Union[
    "CurveConstant",
    "CurveStep",
    "CurveCosine",
    "CurveInverseSquareRoot",
    "CurveReduceOnPlateau",
]


class CurveConstant(TypedDict):
    type: Literal["constant"]


class CurveCosine(TypedDict):
    """Half a cosine from the full rate to `alpha` of it at the last step."""
    alpha: NotRequired[float]
    type: Literal["cosine"]


class CurveInverseSquareRoot(TypedDict):
    """With the inverse square root of the step ("Attention is all you need", 5.3)."""
    type: Literal["inverse_square_root"]


class CurveReduceOnPlateau(TypedDict):
    """Times `factor` after `patience` epochs without a better validation loss (training loss where no rows are
    held back).
    """
    factor: NotRequired[float]
    min_delta: NotRequired[float]
    min_learning_rate: NotRequired[float]
    patience: NotRequired[int]
    type: Literal["reduce_on_plateau"]


class CurveStep(TypedDict):
    """Times `gamma` every `step_size` epochs."""
    gamma: float
    step_size: int
    type: Literal["step"]


class DataFile(TypedDict):
    bytes: int
    compression: Compression
    format: Format
    sha256: Digest


DatasetId: TypeAlias = str


class DatasetLineageView(TypedDict):
    dataset: str
    # What was trained on it, and what was built upon that: the nearest first, at most 1,000.
    models: list[RelativeView]
    sha256: Digest
    version: int


class DatasetRef(TypedDict):
    name: Name
    sha256: Digest
    version: int


class DatasetVersionView(TypedDict):
    bytes: int
    compression: Compression
    created_at: str
    dataset: str
    format: Format
    profile: ProfileView
    # The job that makes the profile; in the answer to the push that made the version.
    profile_job: NotRequired[JobId | None]
    # Of the bytes as they were sent.
    sha256: Digest
    version: int


class DatasetView(TypedDict):
    # What its versions occupy together.
    bytes: int
    created_at: str
    id: DatasetId
    name: str
    versions: int


class Difference(TypedDict):
    a: NotRequired[Any]
    b: NotRequired[Any]
    path: str


Digest: TypeAlias = str


class DryRunView(TypedDict):
    """Nothing was submitted."""
    # Whether the submission would be accepted now.
    accepted: bool
    costs_at_most: SpendView
    # Why it would wait; absent if it would start at once.
    reason: NotRequired[WaitReasonView | None]
    # Which cap refuses it, and what helps.
    refusal: NotRequired[str | None]
    # Changes to the specification with which it would start sooner.
    sooner: list[Suggestion]
    # With every default filled in; absent of a job that trains nothing.
    spec: NotRequired[TrainingSpec | None]
    # Absent if that cannot be said: then the reason says what has to change first.
    starts: NotRequired[Interval | None]
    uses_at_most: Usage


class EarlyStopping(TypedDict):
    min_delta: NotRequired[float]
    # A metric of each epoch; metrics whose name says loss or error are better when smaller.
    monitor: NotRequired[str]
    # Epochs without a better value before training stops.
    patience: NotRequired[int]
    # Publish the weights of the best epoch instead of the last one's.
    restore_best_weights: NotRequired[bool]


class EgressView(TypedDict):
    """What was downloaded in the month of UTC that it is, of what may be."""
    bytes: int
    limit: int
    resets_at: str


# How categories become numbers (scikit-learn's `OneHotEncoder`, `OrdinalEncoder`, `FeatureHasher`).
Encoding: TypeAlias = Literal["one_hot", "ordinal", "hashing"]


class EndpointRevisionView(TypedDict):
    # By e-mail address.
    changed_by: str
    created_at: str
    revision: int
    shadow: NotRequired[ShadowView | None]
    traffic: list[TargetView]


class EndpointView(TypedDict):
    created_at: str
    description: str
    keep_warm: bool
    max_concurrent: int
    name: str
    requests_per_second: NotRequired[int | None]
    # The split that is in force; also the answer's `ETag`.
    revision: int
    shadow: NotRequired[ShadowView | None]
    traffic: list[TargetView]
    url: str


class Estimate(TypedDict):
    # Of each worker.
    memory_bytes: int
    parameters: int
    # The table's rows are kept in a file while it trains, as the memory that the run asks for does not hold
    # them.
    rows_in_file: NotRequired[bool]
    # Of the whole run on the CPUs it asks for; of several workers as if they were equally fast, with an
    # object store that moves 100 MB in a second.
    seconds: float


class Evaluation(TypedDict):
    # Of a binary task: predicted and observed shares of the positive class. Bins without rows are left out.
    calibration: NotRequired[list[CalibrationBin] | None]
    # Rows by truth, columns by prediction, both in the order of the classes; of up to 100 classes.
    confusion_matrix: NotRequired[list[list[int]] | None]
    # The mean loss of a row, without penalties on weights.
    loss: NotRequired[float | None]
    # By the names that a specification uses.
    metrics: dict[str, float]
    # Of a classification, in the order of the classes.
    per_class: NotRequired[list[ClassReport] | None]
    # Of a binary task with positive rows: at most 100 points from recall 0 to recall 1.
    precision_recall_curve: NotRequired[list[PrecisionRecallPoint] | None]
    # Of a task that predicts numbers: truth minus prediction, in the target's unit.
    residuals: NotRequired[list[Quantile] | None]
    # Of a binary task with rows of both classes: at most 100 points from (0, 0) to (1, 1).
    roc_curve: NotRequired[list[RocPoint] | None]
    rows: int
    split: EvaluationSplit


# The rows that a model was evaluated on.
EvaluationSplit: TypeAlias = Literal["validation", "test"]


class EvaluationView(TypedDict):
    created_at: str
    dataset: str
    dataset_version: int
    # On the rows that this one's training held back; on all of them if null.
    held_back_by: NotRequired[Side | None]
    job: JobId
    # Null until the job has succeeded.
    result: NotRequired[Comparison | None]
    status: JobStatus


class Explain(TypedDict):
    """How predictions are to be explained."""
    method: ExplainMethod
    # Places between the baseline and the row where slopes are taken; 50 if absent. The answer takes so many
    # times longer than one without.
    steps: NotRequired[int]


ExplainMethod: TypeAlias = Literal["integrated_gradients"]


# What an answer is made of: `value - baseline` is the sum of the attributions, but for `convergence_delta`.
Explanation = TypedDict(
    "Explanation",
    {
        # Of each feature, as the training data names them; of a text, of each token in their order.
        "attributions": "list[Attribution]",
        # What the model answers to the baseline: a row of which nothing is known, a text of padding.
        "baseline": "float",
        # Whose probability is explained; absent where the answer is a number.
        "class": "NotRequired[str | None]",
        # The sum of the attributions less `value - baseline`: what was lost by taking steps. More steps make
        # it smaller.
        "convergence_delta": "float",
        # What it answers to the row: the probability of `class`, or the number in the target's own unit.
        "value": "float",
    },
)


class ExplanationView(TypedDict):
    # Jobs of its own tenant that go first, and tenants whose turn comes before its tenant's.
    own_ahead: int
    # Absent if it does not wait.
    reason: NotRequired[WaitReasonView | None]
    share: NotRequired[ShareView | None]
    # Absent if that cannot be said: then the reason says what has to change first.
    starts: NotRequired[Interval | None]
    status: JobStatus
    tenants_ahead: int


Family: TypeAlias = Literal[
    "linear",
    "mlp",
    "lstm",
    "gru",
    "bidirectional_lstm",
    "bidirectional_gru",
    "transformer",
    "cnn",
    "matrix_factorization",
    "two_tower",
]


class Feature(TypedDict):
    kind: FeatureKind
    name: str


FeatureKind: TypeAlias = Literal["numeric", "categorical", "date"]


class FeaturedView(TypedDict):
    # `tenant/name`, in their order: those that are public still.
    models: list[str]
    name: str
    title: str


class FieldError(TypedDict):
    """`field` is a path as the client wrote it (`model.layers[1].units`)."""
    field: str
    message: str


# Where a file of a version lies: a relative path that stays below its folder on every system.
FilePath: TypeAlias = str


class FindingView(TypedDict):
    cause: str
    change: NotRequired[ChangeView | None]
    remedy: str
    # Of docs/ADVICE.md.
    rule: str
    # What is seen, with its numbers.
    symptom: str


Format: TypeAlias = Literal["csv", "tsv", "jsonl", "text", "images"]


class Gradient(TypedDict):
    """What happens to gradients before the optimizer sees them."""
    # Batches whose mean gradient makes one step.
    accumulation_steps: NotRequired[int]
    # Each tensor at most so long.
    clipnorm: NotRequired[float | None]
    # Each number at most so far from zero.
    clipvalue: NotRequired[float | None]
    # All tensors together at most so long.
    global_clipnorm: NotRequired[float | None]


class HadView(TypedDict):
    """What was used of a guarantee, and beyond it."""
    borrowed_accelerator_milli: int
    borrowed_cpu_milli: int
    guaranteed_accelerator_milli: int
    guaranteed_cpu_milli: int


class Health(TypedDict):
    # `ok`
    status: str


class Importance(TypedDict):
    """Positive where the model answers worse without the feature: how far the metric falls or, of an error,
    rises.
    """
    feature: str
    # Of each repetition.
    importances: list[float]
    importances_mean: float
    # Of the population, as numpy's.
    importances_std: float


class ImportanceRequest(TypedDict):
    # A dataset of the caller's own, with the target; if absent, what the version was trained on, if that is
    # one.
    dataset: NotRequired[str | None]
    # By which it is judged; if absent, as scikit-learn does, `accuracy` of classes and `r2` of numbers.
    metric: NotRequired[Metric | None]
    # How often each feature is shuffled; 5 if absent.
    n_repeats: NotRequired[int | None]
    # 0 if absent.
    seed: NotRequired[int | None]
    # Its version; if absent, the one that it was trained on, or the newest one of a dataset that is named.
    version: NotRequired[int | None]


class Importances(TypedDict):
    """What was found, feature by feature in the order of the training's."""
    # With every value where it belongs.
    baseline_score: float
    features: list[Importance]
    rows: int


# What stands for a missing value (scikit-learn's `SimpleImputer`).
Imputation: TypeAlias = Literal["mean", "median", "mode", "zero", "constant", "drop"]


# How kernels start; Xavier's is `glorot`. Biases start at zero.
Initializer: TypeAlias = Literal[
    "zeros",
    "random_uniform",
    "random_normal",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
]


# How the data is read, resolved against its profile.
Input: TypeAlias = Union[
    "InputTable",
    "InputText",
    "InputCorpus",
    "InputImages",
    "InputSeries",
    "InputRatings",
]


class InputCorpus(TypedDict):
    """All rows of a column (or of a plain text file) as one text; windows of `context` tokens are drawn from it.
    """
    column: str
    context: int
    tokenizer: Tokenizer
    type: Literal["corpus"]


class InputImages(TypedDict):
    channels: int
    height: int
    type: Literal["images"]
    width: int


class InputRatings(TypedDict):
    """Who rated what."""
    # A row says that a user took an item, not how it was liked; `negatives` items that the user did not take
    # are drawn for each.
    implicit: bool
    item: str
    negatives: int
    user: str
    type: Literal["ratings"]


class InputSeries(TypedDict):
    """Windows of one or many series."""
    # Origins of the backtest: the last `backtest` horizons of each series are held back.
    backtest: int
    # Made of the time column.
    calendar: list[CalendarFeature]
    # Steps that it forecasts at once.
    horizon: int
    # Columns known ahead of time (a holiday, a price), given for the horizon when predicting.
    known: list[Feature]
    # Steps that the model looks back on.
    lookback: int
    # Steps after which the pattern repeats, for the seasonal naive forecast that every model is compared
    # with.
    season: int
    # The column that tells the series of a panel apart; one series if absent.
    series: NotRequired[str | None]
    # The column of dates or of numbers by which rows are ordered.
    time: str
    type: Literal["series"]


class InputTable(TypedDict):
    """Columns side by side."""
    features: list[Feature]
    preprocess: Preprocess
    type: Literal["table"]


class InputText(TypedDict):
    """One column of text, as tokens."""
    column: str
    keep: Keep
    max_length: int
    tokenizer: Tokenizer
    type: Literal["text"]


# If attempts take as short, or as long, as nearly all have taken, and nothing else is submitted.
Interval = TypedDict(
    "Interval",
    {
        "from": "str",
        "until": "str",
    },
)


class InvitationDraft(TypedDict):
    email: str
    # In a tenant `owner`, `admin`, `developer` or `viewer`; in the platform `operator` or `auditor`.
    role: Role


InvitationId: TypeAlias = str


class InvitationView(TypedDict):
    created_at: str
    email: str
    expires_at: str
    id: InvitationId
    role: Role


class IssuedInvitation(TypedDict):
    """An invitation that has just been made."""
    email: str
    expires_at: str
    id: InvitationId
    role: Role
    # For `POST /v1/invitations/accept`, once. It is shown this once and not kept.
    token: str


class IssuedKey(TypedDict):
    """A key that has just been made."""
    id: ApiKeyId
    prefix: str
    # The key itself. It is shown this once and not kept.
    secret: str


class JobDataset(TypedDict):
    name: str
    version: int


JobId: TypeAlias = str


JobKind: TypeAlias = Literal["profile", "train", "evaluate", "predict", "importance"]


class JobProgress(TypedDict):
    step: int
    total_steps: int


# The word for a state, as the API and the database spell it.
JobStatus: TypeAlias = Literal[
    "queued",
    "paused",
    "starting",
    "running",
    "stopping",
    "succeeded",
    "failed",
    "cancelled",
]


class JobView(TypedDict):
    # Attempts so far, the live one included.
    attempt: int
    # Why it failed, or why its last try did.
    cause: NotRequired[CauseView | None]
    concurrency: NotRequired[ConcurrencyView | None]
    created_at: str
    dataset: JobDataset
    finished_at: NotRequired[str | None]
    id: JobId
    kind: JobKind
    # Seconds that one attempt may run.
    max_runtime: int
    name: str
    pool: str
    # What it asks a model about its dataset, of a `predict` job.
    prediction: NotRequired[BatchView | None]
    priority: int
    # Absent until the first attempt knows how much there is to do.
    progress: NotRequired[JobProgress | None]
    published: NotRequired[Published | None]
    # Of each of its workers.
    resources: Resources
    # With every default filled in; not in lists, and a profile job has none.
    spec: NotRequired[TrainingSpec | None]
    started_at: NotRequired[str | None]
    status: JobStatus
    # Its sweep, and the values that differ from the sweep's specification.
    sweep: NotRequired[SweepPoint | None]
    # Of these, the ones that failed or were lost.
    tries: int
    # Why it waits, as of the scheduler's last look.
    wait_reason: NotRequired[WaitReasonView | None]
    # Where it runs at the moment.
    worker: NotRequired[WorkerId | None]
    workers: int


# What stays of a text that is longer than the network sees.
Keep: TypeAlias = Literal["first", "last", "ends"]


class KeyRequest(TypedDict):
    # Networks (`203.0.113.0/24`, `2001:db8::/32`) or single addresses; everywhere, if absent.
    allowed_addresses: NotRequired[list[str]]
    # Never, if absent.
    expires_at: NotRequired[str | None]
    # What it is for, 1 to 100 characters.
    name: str
    # Some of what its owner's role grants, as in `jobs:submit`; all of it, if absent.
    scopes: NotRequired[list[str] | None]
    # For a service account of the tenant, by those who run it; for yourself, if absent.
    user: NotRequired[UserId | None]


class KeyView(TypedDict):
    # Networks that it may be used from; empty: all.
    allowed_addresses: list[str]
    created_at: str
    expires_at: NotRequired[str | None]
    id: ApiKeyId
    last_used_at: NotRequired[str | None]
    name: str
    # The key's first characters, by which to recognise it.
    prefix: str
    revoked_at: NotRequired[str | None]
    # What it may be used for, of what its owner's role grants; null: all of it.
    scopes: NotRequired[list[str] | None]
    user: UserId


Layer: TypeAlias = Union[
    "LayerDense",
    "LayerActivation",
    "LayerDropout",
    "LayerBatchNormalization",
    "LayerLayerNormalization",
    "LayerFlatten",
    "LayerEmbedding",
    "LayerPositionEmbedding",
    "LayerLSTM",
    "LayerGRU",
    "LayerBidirectional",
    "LayerConv1D",
    "LayerGlobalAveragePooling1D",
    "LayerGlobalMaxPooling1D",
    "LayerConv2D",
    "LayerMaxPooling2D",
    "LayerAveragePooling2D",
    "LayerGlobalAveragePooling2D",
    "LayerResidual",
    "LayerTransformerEncoder",
    "LayerTransformerDecoder",
    "LayerMatrixFactorization",
    "LayerTwoTower",
]


class LayerActivation(TypedDict):
    activation: Activation
    type: Literal["Activation"]


class LayerAveragePooling2D(TypedDict):
    pool_size: NotRequired[int]
    type: Literal["AveragePooling2D"]


class LayerBatchNormalization(TypedDict):
    epsilon: NotRequired[float]
    momentum: NotRequired[float]
    type: Literal["BatchNormalization"]


class LayerBidirectional(TypedDict):
    """An LSTM or GRU that reads the sequence both ways; both results side by side."""
    layer: Layer
    type: Literal["Bidirectional"]


class LayerConv1D(TypedDict):
    activation: NotRequired[Activation]
    dilation_rate: NotRequired[int]
    filters: int
    kernel_initializer: NotRequired[Initializer]
    kernel_size: int
    padding: NotRequired[Padding1D]
    type: Literal["Conv1D"]


class LayerConv2D(TypedDict):
    activation: NotRequired[Activation]
    filters: int
    kernel_initializer: NotRequired[Initializer]
    # Of the square kernel's side.
    kernel_size: int
    padding: NotRequired[Padding2D]
    strides: NotRequired[int]
    type: Literal["Conv2D"]
    use_bias: NotRequired[bool]


class LayerDense(TypedDict):
    activation: NotRequired[Activation]
    kernel_initializer: NotRequired[Initializer]
    type: Literal["Dense"]
    units: int
    use_bias: NotRequired[bool]


class LayerDropout(TypedDict):
    rate: float
    type: Literal["Dropout"]


class LayerEmbedding(TypedDict):
    """One learned vector a token; the number of tokens is that of the fitted vocabulary."""
    embeddings_initializer: NotRequired[Initializer]
    output_dim: int
    type: Literal["Embedding"]


class LayerFlatten(TypedDict):
    type: Literal["Flatten"]


class LayerGRU(TypedDict):
    # Share of the inputs dropped, the same ones at every step.
    dropout: NotRequired[float]
    # Share of the state dropped, the same parts at every step (Gal and Ghahramani, 2016).
    recurrent_dropout: NotRequired[float]
    # The result of every step instead of the last one's.
    return_sequences: NotRequired[bool]
    units: int
    type: Literal["GRU"]


class LayerGlobalAveragePooling1D(TypedDict):
    type: Literal["GlobalAveragePooling1D"]


class LayerGlobalAveragePooling2D(TypedDict):
    type: Literal["GlobalAveragePooling2D"]


class LayerGlobalMaxPooling1D(TypedDict):
    type: Literal["GlobalMaxPooling1D"]


class LayerLSTM(TypedDict):
    # Share of the inputs dropped, the same ones at every step.
    dropout: NotRequired[float]
    # Share of the state dropped, the same parts at every step (Gal and Ghahramani, 2016).
    recurrent_dropout: NotRequired[float]
    # The result of every step instead of the last one's.
    return_sequences: NotRequired[bool]
    units: int
    type: Literal["LSTM"]


class LayerLayerNormalization(TypedDict):
    epsilon: NotRequired[float]
    type: Literal["LayerNormalization"]


class LayerMatrixFactorization(TypedDict):
    """The rating of a pair: overall mean, the user's and the item's bias, and the product of their vectors.
    """
    embedding_dim: int
    type: Literal["MatrixFactorization"]


class LayerMaxPooling2D(TypedDict):
    pool_size: NotRequired[int]
    type: Literal["MaxPooling2D"]


class LayerPositionEmbedding(TypedDict):
    """Adds to each place of a sequence a vector that says which place it is."""
    kind: NotRequired[Positions]
    type: Literal["PositionEmbedding"]


class LayerResidual(TypedDict):
    """Adds its input to what the layers inside make of it; where the width changes, the input goes through a
    projection first.
    """
    layers: list[Layer]
    type: Literal["Residual"]


class LayerTransformerDecoder(TypedDict):
    """The same, but each place sees itself and what is before it."""
    activation: NotRequired[Activation]
    dropout: NotRequired[float]
    # Width of the feed-forward network between its two dense layers.
    intermediate_dim: int
    layer_norm_epsilon: NotRequired[float]
    # Normalise before attention and feed-forward (pre-norm) instead of after them.
    normalize_first: NotRequired[bool]
    num_heads: int
    type: Literal["TransformerDecoder"]


class LayerTransformerEncoder(TypedDict):
    """Self-attention over the whole sequence, then a feed-forward network."""
    activation: NotRequired[Activation]
    dropout: NotRequired[float]
    # Width of the feed-forward network between its two dense layers.
    intermediate_dim: int
    layer_norm_epsilon: NotRequired[float]
    # Normalise before attention and feed-forward (pre-norm) instead of after them.
    normalize_first: NotRequired[bool]
    num_heads: int
    type: Literal["TransformerEncoder"]


class LayerTwoTower(TypedDict):
    """Users and items each go through an embedding and dense layers; the rating is the product of the two
    results plus both biases and the overall mean.
    """
    embedding_dim: int
    type: Literal["TwoTower"]
    units: list[int]


# One of [`Licence::ALL`], by its place there.
Licence: TypeAlias = str


class Likes(TypedDict):
    # Of the model, now.
    likes: int


class LimitView(TypedDict):
    """`null`: no limit."""
    accelerator_milli: NotRequired[int | None]
    cpu_milli: NotRequired[int | None]
    memory_bytes: NotRequired[int | None]


class LimitsChange(TypedDict):
    """What is absent stays as it is."""
    max_egress_bytes: NotRequired[int | None]
    max_queued_jobs: NotRequired[int | None]
    max_running_jobs: NotRequired[int | None]
    max_storage_bytes: NotRequired[int | None]


class LimitsView(TypedDict):
    # Of files that are downloaded, in a month of UTC.
    max_egress_bytes: int
    max_queued_jobs: int
    max_running_jobs: int
    # Of datasets and models.
    max_storage_bytes: int


class LineageView(TypedDict):
    # What it was built upon, and what that was built upon: the nearest first.
    ancestors: list[RelativeView]
    # What the last of these was built upon, where that is not shown to the caller; null for a visitor.
    beyond: NotRequired[Base | None]
    # What was built upon it, and upon that: the nearest first, at most 1,000.
    descendants: list[RelativeView]
    # The version that was asked about.
    version: RelativeView


class ListingAliasView(TypedDict):
    """The items of one page."""
    items: list[AliasView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingAttemptView(TypedDict):
    """The items of one page."""
    items: list[AttemptView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingAuditRecord(TypedDict):
    """The items of one page."""
    items: list[ListingAuditRecordItemsItem]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingAuditRecordItemsItem(TypedDict):
    """What is known when something is done. A role or an address is text here, whatever it says: what somebody
    has made of it in the database can be read, and is then found not to fit.
    """
    # The operation's id in the API's description.
    action: str
    # Where the request came from; null for what was done from a shell or by the clock.
    address: NotRequired[str | None]
    # The credential: a key or a session.
    key: NotRequired[ApiKeyId | None]
    # Its id or its name; of what was refused, the path.
    object: NotRequired[str | None]
    object_kind: NotRequired[str | None]
    # As the answer's `X-Request-Id` said.
    request: NotRequired[RequestId | None]
    # `done`, or the code of the refusal.
    result: str
    # As which the user did it.
    role: NotRequired[str | None]
    session: NotRequired[SessionId | None]
    # Null where nobody was known. Where it was refused for want of a good credential, whose it was.
    user: NotRequired[UserId | None]
    at: str
    id: RecordId
    # Null for a moment, until it has been sealed.
    seal: NotRequired[AuditSeal | None]
    # Null: the platform's.
    tenant: NotRequired[TenantId | None]


class ListingCollectionView(TypedDict):
    """The items of one page."""
    items: list[CollectionView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingDatasetVersionView(TypedDict):
    """The items of one page."""
    items: list[DatasetVersionView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingDatasetView(TypedDict):
    """The items of one page."""
    items: list[DatasetView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingEndpointRevisionView(TypedDict):
    """The items of one page."""
    items: list[EndpointRevisionView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingEndpointView(TypedDict):
    """The items of one page."""
    items: list[EndpointView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingFeaturedView(TypedDict):
    """The items of one page."""
    items: list[FeaturedView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingImportanceView(TypedDict):
    """The items of one page."""
    items: list[ListingImportanceViewItemsItem]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingImportanceViewItemsItem(TypedDict):
    """How it is measured, in scikit-learn's words."""
    # On the rows that its training held back, where the dataset is the one that it was trained on; else on
    # all.
    held_back: bool
    # By which it is judged.
    metric: Metric
    # How often each feature is shuffled.
    n_repeats: int
    seed: int
    created_at: str
    dataset: str
    dataset_version: int
    job: JobId
    # Null until the job has succeeded.
    result: NotRequired[Importances | None]
    status: JobStatus


class ListingInvitationView(TypedDict):
    """The items of one page."""
    items: list[InvitationView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingJobView(TypedDict):
    """The items of one page."""
    items: list[JobView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingKeyView(TypedDict):
    """The items of one page."""
    items: list[KeyView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingLoadView(TypedDict):
    """The items of one page."""
    items: list[LoadView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingLogLineView(TypedDict):
    """The items of one page."""
    items: list[LogLineView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingModelVersionView(TypedDict):
    """The items of one page."""
    items: list[ModelVersionView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingModelView(TypedDict):
    """The items of one page."""
    items: list[ModelView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingPlatformUserView(TypedDict):
    """The items of one page."""
    items: list[PlatformUserView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingPoolView(TypedDict):
    """The items of one page."""
    items: list[PoolView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingQuotaView(TypedDict):
    """The items of one page."""
    items: list[QuotaView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingScheduleView(TypedDict):
    """The items of one page."""
    items: list[ScheduleView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingSessionView(TypedDict):
    """The items of one page."""
    items: list[SessionView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingSweepView(TypedDict):
    """The items of one page."""
    items: list[SweepView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingTenantView(TypedDict):
    """The items of one page."""
    items: list[TenantView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingUploadView(TypedDict):
    """The items of one page."""
    items: list[UploadView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingUserView(TypedDict):
    """The items of one page."""
    items: list[UserView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class ListingWorkerView(TypedDict):
    """The items of one page."""
    items: list[WorkerView]
    # Send it as `cursor` for the next page; null on the last one.
    next: NotRequired[str | None]


class LoadView(TypedDict):
    cordoned: int
    draining: int
    # Workers with nothing to do; among the first tenth.
    idle: int
    pool: str
    # How many workers are how full, by tenths of the resource that each has least left of: the first less
    # than a tenth, the last nine tenths and more.
    tenths: list[int]


class LogLineView(TypedDict):
    at: str
    attempt: int
    # Counted from the attempt's start.
    line: int
    text: str


Loss: TypeAlias = Literal[
    "binary_crossentropy",
    "categorical_crossentropy",
    "mean_squared_error",
    "mean_absolute_error",
    "huber",
]


class Manifest(TypedDict):
    """The payload of `manifest.jws`. Its own digest names the version: [`Revision`]."""
    # What it was built upon.
    base: NotRequired[Base | None]
    created_at: str
    # The version of the platform.
    cupola: str
    # By path.
    files: list[VersionFile]
    format: int
    # When it was published; what the model says later changes nothing here.
    licence: NotRequired[Licence | None]
    # Publisher and name.
    model: str
    source: Source
    version: int


class ManifestView(TypedDict):
    # The manifest with its signature, a JWS in its compact form.
    jws: str
    manifest: Manifest


class MeView(TypedDict):
    email: str
    id: UserId
    role: Role
    # What the credential may be used for, of what the role grants; null: all of it.
    scopes: NotRequired[list[str] | None]
    # Slug of the tenant; null for those who run the platform.
    tenant: NotRequired[str | None]


Metric: TypeAlias = Literal[
    "accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
    "pr_auc",
    "log_loss",
    "brier_score",
    "calibration_error",
    "mean_squared_error",
    "root_mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "r2",
    "perplexity",
    "hit_rate",
    "ndcg",
]


class MetricDifference(TypedDict):
    a: NotRequired[float | None]
    b: NotRequired[float | None]
    # b - a, where both have it.
    difference: NotRequired[float | None]
    name: str


class MetricPoint(TypedDict):
    epoch: int
    step: int
    # Null where the training computed no finite number.
    value: NotRequired[float | None]


class MetricsView(TypedDict):
    # By the metric's name, in the order of steps.
    series: dict[str, list[MetricPoint]]


class ModelChange(TypedDict):
    """What is absent stays as it is."""
    # Markdown.
    card: NotRequired[str | None]
    # A line for lists.
    description: NotRequired[str | None]
    licence: NotRequired[Licence | None]
    # Tenants, by name, in place of those it was shared with.
    shared_with: NotRequired[list[Name] | None]
    tags: NotRequired[list[Tag] | None]
    visibility: NotRequired[Visibility | None]


class ModelDetail(TypedDict):
    """A model by itself."""
    created_at: str
    # A line of its people.
    description: str
    # By others and by its own tenant; each tenant's of one day count as one.
    downloads: int
    # The newest one that is published; null where there is none.
    latest_version: NotRequired[int | None]
    # What others may do with it.
    licence: NotRequired[Licence | None]
    # Each person's is one.
    likes: int
    # Of the latest version.
    metrics: dict[str, float]
    name: str
    # Rows that were answered.
    predictions: int
    tags: list[str]
    # Who publishes it.
    tenant: str
    url: str
    visibility: Visibility
    # What its people write of it, in Markdown.
    card: str
    # Tenants by name; shown to its own tenant.
    shared_with: NotRequired[list[str] | None]


class ModelDraft(TypedDict):
    activation: NotRequired[Activation | None]
    batch_normalization: NotRequired[bool | None]
    dropout: NotRequired[float | None]
    # Of embeddings; a transformer's width (d_model).
    embedding_dim: NotRequired[int | None]
    family: NotRequired[Family | None]
    # Of the convolutions, one after another.
    filters: NotRequired[list[int] | None]
    intermediate_dim: NotRequired[int | None]
    layers: NotRequired[list[Layer] | None]
    normalize_first: NotRequired[bool | None]
    num_heads: NotRequired[int | None]
    num_layers: NotRequired[int | None]
    positions: NotRequired[Positions | None]
    recurrent_dropout: NotRequired[float | None]
    # Of the hidden layers: dense, recurrent or of a tower.
    units: NotRequired[list[int] | None]


class ModelFile(TypedDict):
    bytes: int
    name: str
    sha256: Digest
    url: str


class ModelVersionView(TypedDict):
    # Empty for regression.
    classes: list[str]
    created_at: str
    # What it does on rows that it was not trained on, for figures; of a version that is read by itself.
    evaluations: NotRequired[list[Evaluation]]
    files: list[ModelFile]
    # The job that made it; shown to its own tenant.
    job: NotRequired[JobId | None]
    licence: NotRequired[Licence | None]
    metrics: dict[str, float]
    model: str
    # Why it is in this state; may be empty.
    reason: str
    # Of a version that was made again.
    reproduces: NotRequired[Reproduction | None]
    # Names its content; null for less than a second after it was published.
    revision: NotRequired[Revision | None]
    # As it was resolved for the job.
    spec: NotRequired[TrainingSpec | None]
    state: VersionState
    target: NotRequired[str | None]
    # Null where files were sent that are no model of ours; so for all that comes of a specification.
    task: NotRequired[Task | None]
    tenant: str
    # Null where no job has made it.
    trained_on: NotRequired[TrainedOn | None]
    version: int


class ModelView(TypedDict):
    created_at: str
    # A line of its people.
    description: str
    # By others and by its own tenant; each tenant's of one day count as one.
    downloads: int
    # The newest one that is published; null where there is none.
    latest_version: NotRequired[int | None]
    # What others may do with it.
    licence: NotRequired[Licence | None]
    # Each person's is one.
    likes: int
    # Of the latest version.
    metrics: dict[str, float]
    name: str
    # Rows that were answered.
    predictions: int
    tags: list[str]
    # Who publishes it.
    tenant: str
    url: str
    visibility: Visibility


# Lower-case letters, digits, `-`, `_` and `.`; 1 to 64 characters; starts with a letter or digit.
Name: TypeAlias = str


class NewCollection(TypedDict):
    description: NotRequired[str]
    # `tenant/name`, in their order.
    models: NotRequired[list[str]]
    title: str
    # `private` if absent, or `public`.
    visibility: NotRequired[Visibility | None]


class NewEndpoint(TypedDict):
    description: NotRequired[str]
    # Whether its versions stay in memory while nobody calls; false if absent.
    keep_warm: NotRequired[bool]
    # The most calls being answered at once by one gateway; 100 if absent.
    max_concurrent: NotRequired[int | None]
    # The most calls in a second; if absent, as many as the tenant's own limits let through.
    requests_per_second: NotRequired[int | None]
    # A version that is given calls besides, whose answers nobody sees but as counts.
    shadow: NotRequired[NewShadow | None]
    # The versions that answer, 1 to 10.
    traffic: list[NewTraffic]


class NewFeatured(TypedDict):
    # `tenant/name` of public models, in their order.
    models: list[str]
    title: str


class NewFork(TypedDict):
    # Of the new model, in the caller's tenant.
    name: Name


class NewModel(TypedDict):
    name: Name


class NewShadow(TypedDict):
    # Publisher and name.
    model: str
    # Of a hundred calls, how many it is given; all if absent.
    percent: NotRequired[int | None]
    version: NotRequired[str | None]


class NewTraffic(TypedDict):
    # Publisher and name.
    model: str
    # A number, an alias or a revision, as it stands now; the newest that is published if absent.
    version: NotRequired[str | None]
    # Its share is this in the sum of all.
    weight: int


Optimizer: TypeAlias = Union[
    "OptimizerGD",
    "OptimizerSGD",
    "OptimizerAdagrad",
    "OptimizerRMSprop",
    "OptimizerAdam",
    "OptimizerAdamW",
]


class OptimizerAdagrad(TypedDict):
    epsilon: NotRequired[float]
    initial_accumulator_value: NotRequired[float]
    learning_rate: NotRequired[float]
    type: Literal["Adagrad"]


class OptimizerAdam(TypedDict):
    beta_1: NotRequired[float]
    beta_2: NotRequired[float]
    epsilon: NotRequired[float]
    learning_rate: NotRequired[float]
    type: Literal["Adam"]


class OptimizerAdamW(TypedDict):
    beta_1: NotRequired[float]
    beta_2: NotRequired[float]
    epsilon: NotRequired[float]
    learning_rate: NotRequired[float]
    type: Literal["AdamW"]
    # Decoupled from the gradient (Loshchilov and Hutter, 2019); of kernels alone.
    weight_decay: NotRequired[float]


class OptimizerGD(TypedDict):
    """Gradient descent over all rows at once: one step an epoch."""
    learning_rate: NotRequired[float]
    type: Literal["GD"]


class OptimizerRMSprop(TypedDict):
    epsilon: NotRequired[float]
    learning_rate: NotRequired[float]
    momentum: NotRequired[float]
    rho: NotRequired[float]
    type: Literal["RMSprop"]


class OptimizerSGD(TypedDict):
    learning_rate: NotRequired[float]
    momentum: NotRequired[float]
    nesterov: NotRequired[bool]
    type: Literal["SGD"]


class OrganizationView(TypedDict):
    # Public ones.
    collections: list[CollectionView]
    downloads: int
    likes: int
    # Of its public models, together.
    models: int
    name: str
    tenant: str
    # The public ones that most people take to now; `GET /v1/models` with `tenant` lists all.
    trending: list[ModelView]


Overlap: TypeAlias = Literal["allow", "skip"]


class OwnerDraft(TypedDict):
    email: str


Padding1D: TypeAlias = Literal["valid", "same", "causal"]


Padding2D: TypeAlias = Literal["valid", "same"]


class PasswordChange(TypedDict):
    current: str
    new: str


class PasswordReset(TypedDict):
    new: str
    # From an operator: `cupola admin reset-password`.
    reset_token: str


class PlacedView(TypedDict):
    job: JobId
    tenant: str


class PlatformUserView(TypedDict):
    email: str
    id: UserId
    name: str
    role: Role


class PoolChange(TypedDict):
    prices: PricesDraft


class PoolDraft(TypedDict):
    # The kind of accelerator that its workers have, as `nvidia-h100`; absent if they have none.
    accelerator: NotRequired[str | None]
    name: Name


PoolId: TypeAlias = str


class PoolUsageView(TypedDict):
    accelerator_ms: int
    attempts: int
    # What was held, times how long: the sums of the attempts' own.
    cpu_ms: int
    memory_mib_ms: int
    # `succeeded`, `failed`, `stopped` or `lost`.
    outcome: str
    # What the tenant pays of it. Work since the last checkpoint of an attempt that was preempted or lost is
    # the platform's, and so is time beyond `max_runtime`.
    paid: SpendView
    pool: str


class PoolView(TypedDict):
    # The kind of accelerator that its workers have.
    accelerator: NotRequired[str | None]
    # Of these workers together.
    capacity: Resources
    created_at: str
    id: PoolId
    name: str
    prices: PricesView
    # By live attempts.
    used: Resources
    # Workers that take new work.
    workers: int


Positions: TypeAlias = Literal["sinusoidal", "learned"]


class PrecisionRecallPoint(TypedDict):
    # 1 where no row counts as positive.
    precision: float
    recall: float
    # Rows of at least this probability count as positive; absent where none does.
    threshold: NotRequired[float | None]


class PredictAnswer(TypedDict):
    # Publisher and name.
    model: str
    # One for each row, in their order; of a forecaster, one for each series.
    predictions: list[Prediction]
    version: int
    # That the version should not be used any more, and why.
    warning: NotRequired[str | None]


class PredictRequest(TypedDict):
    """One of the two: `row` for one answer, `rows` for up to 10,000."""
    # Of a model of tables or texts: what each answer is made of. Each prediction then comes as `{prediction,
    # explanation}`, of up to 32 rows at once.
    explain: NotRequired[Explain | None]
    # Column to value; columns that the model does not use are ignored.
    row: NotRequired[dict[str, Any] | None]
    rows: NotRequired[list[dict[str, Any]] | None]
    # Of a language model, with `row`: the text as it comes, as server-sent events.
    stream: NotRequired[bool]
    # Of a classifier: only so many of the most probable classes, the most probable first.
    top_k: NotRequired[int | None]


class Predicted(TypedDict):
    # Answers; of a forecaster one for each series.
    answered: int
    # Rows that the model could not read.
    bad_rows: int
    # Of texts that a language model has made.
    tokens: int


Prediction: TypeAlias = Union[
    "PredictionProbabilities",
    "PredictionTop",
    "PredictionValue",
    "PredictionTimes",
    "PredictionItems",
    "PredictionPrediction",
    "PredictionText",
]


class PredictionItems(TypedDict):
    """The best items for a user, best first."""
    items: list[Scored]


class PredictionPrediction(TypedDict):
    """Any of these, where it is asked for with its reasons."""
    explanation: Explanation
    prediction: Prediction


PredictionProbabilities = TypedDict(
    "PredictionProbabilities",
    {
        # The most probable class.
        "class": "str",
        # Of every class; they sum to 1.
        "probabilities": "dict[str, float]",
    },
)


class PredictionText(TypedDict):
    """What a language model goes on with."""
    text: str
    tokens: int


class PredictionTimes(TypedDict):
    """The next steps of a series."""
    # Absent where the model knows one series.
    series: NotRequired[str | None]
    # As the training data writes them.
    times: list[str]
    values: list[float]


# Where only the most probable classes are asked for.
PredictionTop = TypedDict(
    "PredictionTop",
    {
        # The most probable class.
        "class": "str",
        # The most probable first.
        "top": "list[ClassProbability]",
    },
)


class PredictionValue(TypedDict):
    value: float


class PredictionsView(TypedDict):
    compute_ms: int
    requests: int
    rows: int
    # Of texts that language models have made.
    tokens: int


class Preprocess(TypedDict):
    # What one column needs other than the rest.
    columns: NotRequired[dict[str, ColumnPreprocess]]
    encoding: NotRequired[Encoding]
    # What stands for a missing number when `imputation` is `constant`.
    fill_value: NotRequired[float]
    # Inputs of a hashed column.
    hash_buckets: NotRequired[int]
    imputation: NotRequired[Imputation]
    # The most categories that one column is encoded into; rarer ones share `infrequent`.
    max_categories: NotRequired[int]
    # Categories of fewer training rows count as rare.
    min_frequency: NotRequired[int]
    # One more input per numeric column that has missing values: 1 where it is missing.
    missing_indicator: NotRequired[bool]
    scaling: NotRequired[Scaling]


class PricesDraft(TypedDict):
    """In credits for an hour of each, counted in millionths; 0 where absent."""
    accelerator_hour: NotRequired[float | None]
    cpu_hour: NotRequired[float | None]
    gib_hour: NotRequired[float | None]


class PricesView(TypedDict):
    """What an attempt that starts now costs, in credits for an hour of each."""
    accelerator_hour: float
    cpu_hour: float
    gib_hour: float


class Problem(TypedDict):
    """What stands in the body of every answer that is not a success."""
    # Stable: programs may rely on it.
    code: str
    # What is wrong and what would be right, for people.
    detail: str
    # Field by field, where the request's content is at fault.
    errors: NotRequired[list[FieldError]]
    status: int
    title: str
    # `urn:cupola:problem:` and the code.
    type: str


ProfileView: TypeAlias = Union["ProfileViewPending", "ProfileViewReady", "ProfileViewInvalid"]


class ProfileViewInvalid(TypedDict):
    """The file cannot be read, and why; its bytes are kept."""
    cause: CauseView
    state: Literal["invalid"]


class ProfileViewPending(TypedDict):
    """A worker has not read the file yet."""
    state: Literal["pending"]


class ProfileViewReady(TypedDict):
    """Made once per dataset version by a worker, inside the sandbox."""
    columns: list[ColumnProfile]
    # Rows equal to an earlier row.
    duplicate_rows: int
    rows: int
    # What a person should look at before training, in words.
    warnings: list[str]
    state: Literal["ready"]


class Published(TypedDict):
    """What a succeeded training left behind."""
    model: str
    url: str
    version: int


class Quantile(TypedDict):
    """`share` of the values are at most `value`."""
    share: float
    value: float


class QueueView(TypedDict):
    capacity: Resources
    pool: str
    # What the next plan would start, and stop to make room.
    starts: list[PlacedView]
    stops: list[PlacedView]
    # Those that use it, wait for it, or have something guaranteed there.
    tenants: list[StandingView]
    # In the order of their turns: of each tenant the first ten, and 500 in all.
    waiting: list[WaitingView]


class QuotaDraft(TypedDict):
    # Tenants of one cohort lend to each other and to nobody else.
    cohort: NotRequired[str | None]
    # Nothing if absent.
    guaranteed: NotRequired[AmountDraft | None]
    # No limit where absent.
    limit: NotRequired[AmountDraft | None]
    # The most that one job may ask for; a larger one is refused. No limit where absent.
    max_job: NotRequired[AmountDraft | None]
    # Jobs that wait here; a further one is refused. No cap if absent.
    max_queued: NotRequired[int | None]
    # Jobs that run here at once; a further one waits. No cap if absent.
    max_running: NotRequired[int | None]
    # Its part of what is lent, against the weights of the others; 1 if absent. Of weight 0 it gets only what
    # nobody else wants.
    weight: NotRequired[int | None]


class QuotaView(TypedDict):
    """What a tenant may use of a pool. Without one: nothing guaranteed, no limit, weight 1, no cohort."""
    cohort: NotRequired[str | None]
    # What it gets back from borrowers whenever it needs it.
    guaranteed: Resources
    # Guaranteed and borrowed together.
    limit: LimitView
    # The most that one job may ask for.
    max_job: LimitView
    max_queued: NotRequired[int | None]
    # `null`: no cap.
    max_running: NotRequired[int | None]
    pool: str
    weight: int


class RecommendationDraft(TypedDict):
    # A row says that a user took an item; no rating is learned and `target` is left out.
    implicit: NotRequired[bool | None]
    item: str
    # Items drawn for each row of an implicit dataset; 4 if absent.
    negatives: NotRequired[int | None]
    user: str


# Of the audit log.
RecordId: TypeAlias = str


class RefreshDraft(TypedDict):
    refresh_token: str


class Regularization(TypedDict):
    """Penalties on kernels, added to the loss as in Keras: `l1 * sum|w| + l2 * sum w²`; both are an elastic net.
    """
    l1: NotRequired[float]
    l2: NotRequired[float]


class RelativeView(TypedDict):
    """A version among those that it is related to."""
    # What it was built upon, as `tenant/model:version`, if the caller sees it.
    base: NotRequired[str | None]
    # The job that made it; shown to its own tenant.
    job: NotRequired[JobId | None]
    # Publisher and name.
    model: str
    revision: NotRequired[Revision | None]
    source: SourceKind
    state: VersionState
    # Of those that a job has trained.
    trained_on: NotRequired[TrainedOn | None]
    url: str
    version: int


class Reproduction(TypedDict):
    """What came of making a version again."""
    # Whether `config.json` is, with its metrics and curves.
    same_config: bool
    # Whether `model.safetensors` is the same, to the byte.
    same_weights: bool
    # The version of the same model that was made again.
    version: int


RequestId: TypeAlias = str


Rerun = TypedDict(
    "Rerun",
    {
        # A dataset of the caller's own; if absent, what the newer of the two was trained on, if that is one.
        "dataset": "NotRequired[str | None]",
        # Its version; if absent, the one that the newer was trained on, or the newest one of a dataset that
        # is named.
        "version": "NotRequired[int | None]",
        # A version of the same model, or `tenant/model:version` of another.
        "with": "str",
    },
)


# One of the kinds that [`Resources`] counts.
ResourceName: TypeAlias = Literal["cpu_milli", "memory_bytes", "accelerator_milli"]


class Resources(TypedDict):
    # Thousandths of an accelerator of the pool's kind. Up to 1,000 share one; more are whole ones.
    accelerator_milli: NotRequired[int]
    # Thousandths of a CPU.
    cpu_milli: int
    memory_bytes: int


class ResourcesDraft(TypedDict):
    # Thousandths of an accelerator of the pool's kind: up to 1,000 share one, more are whole ones. None if
    # absent.
    accelerator_milli: NotRequired[int | None]
    # Thousandths of a CPU; 1,000 if absent.
    cpu_milli: NotRequired[int | None]
    # 1 GiB if absent.
    memory_bytes: NotRequired[int | None]
    # Whose workers it runs on; `default` if absent.
    pool: NotRequired[str | None]


class ResultFile(TypedDict):
    bytes: int
    sha256: str
    url: str


# The first 40 hexadecimal digits of the SHA-256 of a version's manifest: what Hub clients know as a commit.
Revision: TypeAlias = str


class RocPoint(TypedDict):
    false_positive_rate: float
    # Rows of at least this probability count as positive; absent where none does.
    threshold: NotRequired[float | None]
    true_positive_rate: float


Role: TypeAlias = Literal["owner", "admin", "developer", "viewer", "operator", "auditor"]


class Rollback(TypedDict):
    # The split to go back to; the one before the one in force if absent.
    revision: NotRequired[int | None]


class Rotation(TypedDict):
    # For how long the old key goes on, in seconds; a day, if absent.
    overlap_seconds: NotRequired[int | None]


class RunView(TypedDict):
    # The most pressing first; none if the run went well.
    findings: list[FindingView]
    job: JobId
    # The rule of the finding whose change to try next.
    next: NotRequired[str | None]


# How numeric columns are scaled (scikit-learn's `StandardScaler`, `MinMaxScaler`, `RobustScaler`).
Scaling: TypeAlias = Literal["standard", "min_max", "robust", "none"]


class Schedule(TypedDict):
    """The learning rate over time: a linear warm-up from zero, then the curve."""
    curve: NotRequired[Curve]
    # Steps until the full rate is reached.
    warmup_steps: NotRequired[int]


class ScheduleDraft(TypedDict):
    # Minute, hour, day of the month, month, day of the week, in UTC; or `@hourly`, `@daily`, `@weekly`,
    # `@monthly`, `@yearly`.
    cron: str
    # 1 to 100 characters, among the tenant's schedules its own.
    name: str
    # What becomes of a run while the one before has not ended.
    overlap: NotRequired[Overlap | None]
    # What is submitted each time: it is checked now, and again each time, with the data as they are then.
    spec: TrainingDraft


ScheduleId: TypeAlias = str


class ScheduleView(TypedDict):
    created_at: str
    cron: str
    id: ScheduleId
    last_at: NotRequired[str | None]
    last_job: NotRequired[JobId | None]
    name: str
    # Absent while it is paused.
    next_at: NotRequired[str | None]
    overlap: Overlap
    paused: bool
    # Why nothing was submitted the last time.
    problem: NotRequired[str | None]
    spec: dict[str, Any]


class Scored(TypedDict):
    item: str
    # The rating, or the probability of taking it.
    score: float


class SeriesDraft(TypedDict):
    # How many horizons at the end of each series are held back; 1 if absent.
    backtest: NotRequired[int | None]
    # Made of the time column; none if absent.
    calendar: NotRequired[list[CalendarFeature] | None]
    # Steps that it forecasts at once; one season if absent.
    horizon: NotRequired[int | None]
    # Columns that are known ahead of time.
    known: NotRequired[list[str] | None]
    # Steps that the model looks back on; two seasons if absent.
    lookback: NotRequired[int | None]
    # Steps after which the pattern repeats: 12 for months, 7 for days, 24 for hours. 1 if absent.
    season: NotRequired[int | None]
    # The column that tells the series of a panel apart; one series if absent.
    series: NotRequired[str | None]
    # The column of dates, times or numbers by which rows are ordered.
    time: str


class ServiceAccountDraft(TypedDict):
    # Its address becomes `name@tenant.service`.
    name: Name
    # `admin`, `developer` or `viewer`.
    role: Role


SessionId: TypeAlias = str


class SessionView(TypedDict):
    # Where the sign-in came from.
    address: str
    created_at: str
    # Whether it is the one that asks.
    current: bool
    expires_at: str
    id: SessionId
    last_used_at: str
    # Slug of the tenant; null for those who run the platform.
    tenant: NotRequired[str | None]
    user_agent: str


class ShadowView(TypedDict):
    """Since the split came into force, but for the last second or two."""
    # Of the requests, those that our side could not answer.
    errors: int
    # Of an answered request, in milliseconds; null where there was none.
    mean_latency_ms: NotRequired[float | None]
    requests: int
    # Rows that were answered.
    rows: int
    # Answers that were those of the version that answered the caller, of 1.
    agreement: NotRequired[float | None]
    # Publisher and name; null where its tenant shows it no more.
    model: NotRequired[str | None]
    # Of the calls, how many it is given besides.
    percent: int
    version: int


class ShareView(TypedDict):
    """How its tenant stands in the pool."""
    average: float
    # Dominant share of the pool: of what is used now, and averaged over the past.
    current: float
    guaranteed: Resources
    pool: str
    running: int
    # Both together over the weight: the smallest goes first. Absent for weight 0.
    score: NotRequired[float | None]
    used: Resources
    waiting: int
    weight: int


class SharesStepView(TypedDict):
    # All tenants together, also those that are not named.
    all: HadView
    at: str
    capacity_accelerator_milli: int
    capacity_cpu_milli: int
    # In the order of `tenants`.
    each: list[HadView]


SharesView = TypedDict(
    "SharesView",
    {
        "from": "str",
        "pool": "str",
        # For how long each step is; what it says are averages of looks a minute apart.
        "step_seconds": "int",
        # In their order; of times that nobody has looked at there are none.
        "steps": "list[SharesStepView]",
        # Those that had most in the period, the greatest first.
        "tenants": "list[str]",
        "until": "str",
    },
)


# The two models of a comparison.
Side: TypeAlias = Literal["a", "b"]


class SignedIn(TypedDict):
    """A session that has begun, or goes on."""
    access_token: str
    # Seconds.
    expires_in: int
    # Always `Bearer`.
    token_type: str
    # For `POST /v1/auth/refresh`, once: each refresh gives another one.
    refresh_token: str
    session: SessionId
    # Slug of the tenant; null for those who run the platform.
    tenant: NotRequired[str | None]


Source: TypeAlias = Union["SourceTrained", "SourceUploaded", "SourceCopied"]


class SourceCopied(TypedDict):
    """The files of the base, taken over as they are."""
    type: Literal["copied"]


# How a version came to be, in a word.
SourceKind: TypeAlias = Literal["trained", "uploaded", "copied"]


class SourceTrained(TypedDict):
    """A job of this platform made it."""
    dataset: Name
    dataset_sha256: Digest
    dataset_version: int
    seed: int
    # Of the resolved specification, which stands in `config.json`.
    spec_sha256: Digest
    type: Literal["trained"]


class SourceUploaded(TypedDict):
    """Somebody sent its files."""
    type: Literal["uploaded"]


class Spend(TypedDict):
    """So much of both, or a limit of both."""
    # Milliseconds of one accelerator.
    accelerator_ms: int
    # Millionths of a credit.
    micro_credits: int


class SpendLimitView(TypedDict):
    accelerator_hours: NotRequired[float | None]
    credits: NotRequired[float | None]


class SpendView(TypedDict):
    accelerator_hours: float
    credits: float


class StandingView(TypedDict):
    """How its tenant stands in the pool."""
    average: float
    # Dominant share of the pool: of what is used now, and averaged over the past.
    current: float
    guaranteed: Resources
    pool: str
    running: int
    # Both together over the weight: the smallest goes first. Absent for weight 0.
    score: NotRequired[float | None]
    used: Resources
    waiting: int
    weight: int
    # Of what it uses, what is not guaranteed to it.
    borrowed: Resources
    tenant: str


class StartView(TypedDict):
    dataset: str
    # What was left out of them, and what to look at, in words.
    notes: list[str]
    # The best guess first.
    suggestions: list[SuggestionView]
    # The column that the suggestions predict; none of a plain text or of what somebody took.
    target: NotRequired[str | None]
    version: int


class Suggestion(TypedDict):
    field: str
    starts: Interval
    value: int


class SuggestionView(TypedDict):
    # In the pool that it names, if it takes as long as is estimated.
    costs_about: SpendView
    estimate: Estimate
    family: Family
    # Why it fits.
    reason: str
    # Can be submitted as it is.
    spec: TrainingDraft
    task: Task


class SweepDraft(TypedDict):
    # Whether more of it is better; less if absent.
    maximize: NotRequired[bool | None]
    # Of the specification, by which the best one is found; `val_loss` if absent.
    metric: NotRequired[str | None]
    name: NotRequired[str | None]
    # How many run at once; all that find room if absent.
    parallelism: NotRequired[int | None]
    # Values of fields, named with points (`optimizer.learning_rate`): every combination is a job.
    parameters: NotRequired[dict[str, Any] | None]
    # Or the combinations one by one.
    points: NotRequired[list[dict[str, Any]] | None]
    # What all points have in common.
    spec: TrainingDraft


SweepId: TypeAlias = str


class SweepPoint(TypedDict):
    id: SweepId
    point: dict[str, Any]


class SweepView(TypedDict):
    best: NotRequired[BestView | None]
    created_at: str
    # All of its jobs have ended.
    ended: bool
    id: SweepId
    # How many of its jobs are in each state.
    jobs: dict[str, int]
    maximize: bool
    metric: str
    name: str
    parallelism: int


# A topic of a model, as people search for it.
Tag: TypeAlias = str


class TargetView(TypedDict):
    """Since the split came into force, but for the last second or two."""
    # Of the requests, those that our side could not answer.
    errors: int
    # Of an answered request, in milliseconds; null where there was none.
    mean_latency_ms: NotRequired[float | None]
    requests: int
    # Rows that were answered.
    rows: int
    # Publisher and name; null where its tenant shows it no more.
    model: NotRequired[str | None]
    # Of all calls.
    percent: float
    version: int
    weight: int


Task: TypeAlias = Literal[
    "binary_classification",
    "multiclass_classification",
    "regression",
    "language_modeling",
    "forecasting",
    "recommendation",
]


class TenantChange(TypedDict):
    limits: LimitsChange


class TenantDraft(TypedDict):
    # The company's name, 1 to 100 characters.
    name: str
    owner: OwnerDraft
    slug: Name


TenantId: TypeAlias = str


class TenantView(TypedDict):
    # From then on it submits and runs nothing.
    closed_at: NotRequired[str | None]
    created_at: str
    id: TenantId
    limits: LimitsView
    name: str
    slug: str


class TestDraft(TypedDict):
    dataset: str
    # The newest if absent.
    version: NotRequired[int | None]


class TestSet(TypedDict):
    data: DataFile
    dataset: DatasetRef


class TokenView(TypedDict):
    access_token: str
    # Seconds.
    expires_in: int
    # Always `Bearer`.
    token_type: str


class Tokenizer(TypedDict):
    kind: NotRequired[TokenizerKind]
    lowercase: NotRequired[bool]
    # Compatibility forms of Unicode become one (NFKC), control characters go, accents too.
    normalize: NotRequired[bool]
    # Take out HTML tags and undo HTML's entities.
    strip_html: NotRequired[bool]
    # The most tokens, trained on the training rows.
    vocab_size: NotRequired[int]


TokenizerKind: TypeAlias = Literal["character", "word", "wordpiece", "bpe"]


class TrainedOn(TypedDict):
    dataset: str
    sha256: Digest
    version: int


class TrainingDraft(TypedDict):
    # Jobs that have to end first.
    after: NotRequired[list[AfterDraft] | None]
    augmentation: NotRequired[Augmentation | None]
    # Start from the weights of a model that is there, one's own or another's whose licence allows
    # derivatives: `tenant/model`, `tenant/model:3` or `tenant/model@champion`. What is read, and how, comes
    # with it; so do the layers, if `model` is absent.
    base_model: NotRequired[str | None]
    # 32 for a table if absent, or all rows to train on if there are fewer; all rows with the optimizer GD.
    batch_size: NotRequired[int | None]
    # Steps between checkpoints; without it, at the end of an epoch and at most every ten seconds.
    checkpoint_every: NotRequired[int | None]
    class_weight: NotRequired[ClassWeight | None]
    # Of the tenant's jobs with one key, so many run at once.
    concurrency: NotRequired[ConcurrencyDraft | None]
    # Tokens that a language model sees at once; 64 if absent.
    context: NotRequired[int | None]
    # Name of the dataset.
    dataset: str
    # Columns to leave out, identifiers for instance.
    drop: NotRequired[list[str] | None]
    early_stopping: NotRequired[EarlyStopping | None]
    # If absent and rows are held back, up to 50 for a table and 5 for text, of which the best is published;
    # 20 for a table of which none are.
    epochs: NotRequired[int | None]
    # Columns to learn from; every usable column but the target if absent.
    features: NotRequired[list[str] | None]
    gradient: NotRequired[Gradient | None]
    # Let texts that are about as long as each other share a batch, so that less of it is padding; false if
    # absent.
    group_by_length: NotRequired[bool | None]
    # Images are scaled to this height and width; those of the first image if absent.
    image_size: NotRequired[int | None]
    # Which tokens those are of a longer text; its ends if absent.
    keep: NotRequired[Keep | None]
    # Share of each truth that is spread over all classes; 0 if absent.
    label_smoothing: NotRequired[float | None]
    loss: NotRequired[Loss | None]
    # Tokens of a row that are read; 200 if absent.
    max_length: NotRequired[int | None]
    # Seconds that one attempt may run; 3,600 if absent.
    max_runtime: NotRequired[int | None]
    # Computed each epoch on the training and the validation rows; the task's usual ones if absent.
    metrics: NotRequired[list[Metric] | None]
    # A family that fits the data if absent: for a table Dense 128 relu and Dense 64 relu (each with a dropout
    # of 0.2 where classes are learned) and the task's output layer.
    model: NotRequired[ModelDraft | None]
    # What people call the job, up to 100 characters; made from the dataset's name if absent.
    name: NotRequired[str | None]
    # Adam if absent, and AdamW for a language model, with rates that suit the data.
    optimizer: NotRequired[Optimizer | None]
    # Draw rows of rarer classes again until all classes are as frequent.
    oversample: NotRequired[bool | None]
    # Of the columns of a table.
    preprocess: NotRequired[Preprocess | None]
    # From -100 to 100; among a tenant's waiting jobs the higher goes first. 0 if absent.
    priority: NotRequired[int | None]
    recommendation: NotRequired[RecommendationDraft | None]
    # The model under which the result is published; the dataset's name if absent.
    registered_model_name: NotRequired[str | None]
    regularization: NotRequired[Regularization | None]
    # Of each worker.
    resources: NotRequired[ResourcesDraft | None]
    schedule: NotRequired[Schedule | None]
    # Decides the split, the initial weights, the order of rows, dropout and augmentation. 0 if absent.
    seed: NotRequired[int | None]
    series: NotRequired[SeriesDraft | None]
    # It does not start before; within a year.
    start_after: NotRequired[str | None]
    # The column to learn; `label` if absent and the data are images, none for a language model.
    target: NotRequired[str | None]
    # Inferred from the target if absent: two values are a binary classification, few values a multiclass one,
    # many numbers a regression. A plain text is a language model, `series` a forecast and `recommendation` a
    # recommendation.
    task: NotRequired[Task | None]
    # Another dataset with the same columns, which the finished model is tested on.
    test: NotRequired[TestDraft | None]
    # Of text.
    tokenizer: NotRequired[Tokenizer | None]
    validation: NotRequired[ValidationDraft | None]
    # Version number; the newest if absent.
    version: NotRequired[int | None]
    # Workers, 1 to 64, that train the model together: each has its share of every epoch's batches, and after
    # each epoch all go on from the average of their weights. All of them start at once. 1 if absent.
    workers: NotRequired[int | None]


class TrainingSpec(TypedDict):
    """The resolved specification: every default filled in, as stored with the job."""
    augmentation: Augmentation
    # Whose weights it starts from, in place of random ones.
    base_model: NotRequired[BaseModel | None]
    batch_size: int
    # Steps between checkpoints; without it, at the end of an epoch and at most every ten seconds.
    checkpoint_every: NotRequired[int | None]
    class_weight: NotRequired[ClassWeight | None]
    # The target's classes in order; the second one is the positive class of a binary task. Empty where the
    # target is a number or the next token.
    classes: list[str]
    cross_validation: NotRequired[CrossValidation | None]
    dataset: DatasetRef
    early_stopping: NotRequired[EarlyStopping | None]
    epochs: int
    # What the run is thought to take.
    estimate: Estimate
    gradient: Gradient
    # A batch is of texts that are about as long as each other.
    group_by_length: NotRequired[bool]
    input: Input
    # Share of each truth that is spread over all classes.
    label_smoothing: float
    layers: list[Layer]
    loss: Loss
    # Seconds that one attempt may run.
    max_runtime: int
    metrics: list[Metric]
    optimizer: Optimizer
    # Rows of rarer classes are drawn again until all classes are as frequent.
    oversample: bool
    pool: NotRequired[Name]
    registered_model_name: Name
    regularization: Regularization
    # Of each worker.
    resources: Resources
    schedule: Schedule
    seed: int
    # The held-back part has the classes in the same shares as the rest.
    stratified: bool
    target: str
    task: Task
    # A dataset version that the finished model is tested on.
    test: NotRequired[TestSet | None]
    # The last part of the seeded shuffle of rows is held back for validation.
    validation_split: float
    # Workers that train one model together, each on its share of every epoch's batches.
    workers: NotRequired[int]


class UploadDraft(TypedDict):
    # Of the whole file, as it is sent.
    bytes: int
    # `none` if absent.
    compression: NotRequired[Compression | None]
    # That it becomes a version of; made if it is not there.
    dataset: Name
    # By what you know the file again, 1 to 400 characters: its name, size and time, say. The same again goes
    # on with what has come.
    fingerprint: str
    format: Format
    # Of the whole file; nothing else becomes a version then.
    sha256: NotRequired[Digest | None]


# A file on its way.
UploadId: TypeAlias = str


class UploadView(TypedDict):
    bytes: int
    compression: Compression
    created_at: str
    dataset: Name
    # It goes if nothing more comes until then.
    expires_at: str
    fingerprint: str
    format: Format
    id: UploadId
    # So much has come: the next piece goes on there.
    received: int
    sha256: NotRequired[Digest | None]
    # That it has become, once it was made one.
    version: NotRequired[int | None]


class Usage(TypedDict):
    """All of its workers together, if it runs for all of its `max_runtime`."""
    accelerator_seconds: float
    cpu_seconds: float
    memory_gib_seconds: float


# Of attempts that ended in the period, also failed, stopped and lost ones.
UsageView = TypedDict(
    "UsageView",
    {
        # By pool and outcome.
        "attempts": "list[PoolUsageView]",
        "budget": "NotRequired[BudgetView | None]",
        # Of files, downloaded in the hours that begin in the period; a second may be missing.
        "egress_bytes": "int",
        "egress_this_month": "EgressView",
        "from": "str",
        # The sum of what was paid.
        "paid": "SpendView",
        # What was asked of models in the period; ten seconds may be missing.
        "predictions": "PredictionsView",
        # Of datasets and models, looked at once an hour.
        "storage_byte_hours": "int",
        "until": "str",
    },
)


class UsedView(TypedDict):
    cost: SpendView
    # From being assigned to its end, but at most `max_runtime`.
    millis: int
    # Of these, what the tenant pays for.
    paid_millis: int
    # By all of its workers together.
    resources: Resources


class UserChange(TypedDict):
    # One of the tenant's: `owner`, `admin`, `developer` or `viewer`.
    role: Role


UserId: TypeAlias = str


class UserView(TypedDict):
    email: str
    id: UserId
    # A service account: it has keys and cannot sign in.
    is_service: bool
    name: str
    role: Role
    since: str


class ValidationDraft(TypedDict):
    # Cross-validation instead: so many models, each validated on another part.
    folds: NotRequired[int | None]
    # The share of rows held back, at least 0 and below 1; 0.2 if absent and there are five rows.
    split: NotRequired[float | None]
    # The held-back part has the classes in the same shares; false if absent.
    stratified: NotRequired[bool | None]


class ValueCount(TypedDict):
    """One value of a column and how many rows hold it."""
    rows: int
    value: str


class VersionChange(TypedDict):
    # For people; needed for `yanked`.
    reason: NotRequired[str | None]
    state: VersionState


class VersionFile(TypedDict):
    bytes: int
    path: FilePath
    sha256: Digest


VersionState: TypeAlias = Literal["draft", "published", "deprecated", "yanked", "deleted"]


Visibility: TypeAlias = Literal["private", "shared", "public"]


WaitReasonView: TypeAlias = Union[
    "WaitReasonViewBeginTime",
    "WaitReasonViewDependency",
    "WaitReasonViewMaxRunningJobs",
    "WaitReasonViewMaxRunningJobsInPool",
    "WaitReasonViewConcurrencyKey",
    "WaitReasonViewBudget",
    "WaitReasonViewQuotaLimit",
    "WaitReasonViewCohortLimit",
    "WaitReasonViewResources",
    "WaitReasonViewGangResources",
    "WaitReasonViewReclaiming",
    "WaitReasonViewReserved",
    "WaitReasonViewTooLarge",
    "WaitReasonViewGangTooLarge",
    "WaitReasonViewNoWorkers",
    "WaitReasonViewNextPlan",
]


class WaitReasonViewBeginTime(TypedDict):
    """Slurm: BeginTime. The pause after a failed attempt, or a start that was asked for later."""
    code: Literal["begin_time"]
    until: str
    # The same in words.
    message: str


class WaitReasonViewBudget(TypedDict):
    """Slurm: AssocGrpBillingMinutes. It could cost more than its tenant has left beside what its live attempts
    may still cost.
    """
    code: Literal["budget"]
    left: Spend
    needs: Spend
    # The same in words.
    message: str


class WaitReasonViewCohortLimit(TypedDict):
    """The tenants of its cohort together use what is theirs."""
    code: Literal["cohort_limit"]
    limit: int
    needs: int
    resource: ResourceName
    used: int
    # The same in words.
    message: str


class WaitReasonViewConcurrencyKey(TypedDict):
    """As many jobs with its concurrency key run as may."""
    code: Literal["concurrency_key"]
    key: str
    limit: int
    running: int
    # The same in words.
    message: str


class WaitReasonViewDependency(TypedDict):
    """Slurm: Dependency. Jobs that have to end first, as it was submitted."""
    code: Literal["dependency"]
    on: list[JobId]
    # The same in words.
    message: str


class WaitReasonViewGangResources(TypedDict):
    """The same, of a job of several workers: there is room for `free` of them."""
    code: Literal["gang_resources"]
    free: int
    guaranteed: Resources
    needs: Resources
    used: Resources
    workers: int
    # The same in words.
    message: str


class WaitReasonViewGangTooLarge(TypedDict):
    """The workers that are up would hold `most` of the job's if nothing else ran."""
    code: Literal["gang_too_large"]
    most: int
    needs: Resources
    workers: int
    # The same in words.
    message: str


class WaitReasonViewMaxRunningJobs(TypedDict):
    """Slurm: AssocMaxJobsLimit."""
    code: Literal["max_running_jobs"]
    limit: int
    running: int
    # The same in words.
    message: str


class WaitReasonViewMaxRunningJobsInPool(TypedDict):
    """The same, of its quota in the pool."""
    code: Literal["max_running_jobs_in_pool"]
    limit: int
    running: int
    # The same in words.
    message: str


class WaitReasonViewNextPlan(TypedDict):
    """It has room; a plan starts a bounded number of jobs, and the next one goes on from here."""
    code: Literal["next_plan"]
    # The same in words.
    message: str


class WaitReasonViewNoWorkers(TypedDict):
    """No worker of its pool is up."""
    code: Literal["no_workers"]
    # The same in words.
    message: str


class WaitReasonViewQuotaLimit(TypedDict):
    """Slurm: AssocGrpCpuLimit and its kin. The tenant's quota in the pool ends here."""
    code: Literal["quota_limit"]
    limit: int
    needs: int
    resource: ResourceName
    used: int
    # The same in words.
    message: str


class WaitReasonViewReclaiming(TypedDict):
    """Borrowers are stopping to give back what is guaranteed to this job's tenant."""
    attempts: int
    code: Literal["reclaiming"]
    # The same in words.
    message: str


# Slurm: Priority. The room is kept for a job that is ahead and would start later otherwise.
WaitReasonViewReserved = TypedDict(
    "WaitReasonViewReserved",
    {
        "code": 'Literal["reserved"]',
        "for_job": "JobId",
        "from": "str",
        # The same in words.
        "message": "str",
    },
)


class WaitReasonViewResources(TypedDict):
    """Slurm: Resources. Some worker is large enough, but its room is taken."""
    code: Literal["resources"]
    guaranteed: Resources
    largest_free: Resources
    needs: Resources
    used: Resources
    # The same in words.
    message: str


class WaitReasonViewTooLarge(TypedDict):
    """No worker that is up is large enough."""
    code: Literal["too_large"]
    largest: Resources
    needs: Resources
    # The same in words.
    message: str


class WaitingView(TypedDict):
    # By all of its workers.
    asks: Resources
    created_at: str
    job: JobId
    # Jobs of its own tenant that go first, and tenants whose turn comes before its tenant's.
    own_ahead: int
    priority: int
    reason: WaitReasonView
    tenant: str
    tenants_ahead: int


WantedState: TypeAlias = Literal["up", "cordoned", "draining", "gone"]


class WhatIfView(TypedDict):
    # As it is.
    now: QueueView
    # With the other quota.
    then: QueueView


class WorkerChange(TypedDict):
    state: WantedState


WorkerId: TypeAlias = str


class WorkerView(TypedDict):
    # The kind that it has, if it has any.
    accelerator: NotRequired[str | None]
    capacity: Resources
    heartbeat_at: str
    id: WorkerId
    name: str
    pool: str
    registered_at: str
    running_jobs: int
    # `up`, `cordoned`, `draining` or `gone`.
    state: str
    # By live attempts, and by what is left of others until their processes have ended.
    used: Resources
