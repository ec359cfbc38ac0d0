"""A method for each operation of the API, under the operation's own name.

Made by `make python-client` from docs/openapi.json: do not edit.
"""

from __future__ import annotations

from typing import Any, Literal

from . import models
from .transport import Call, Content, Streamed, Transport


class Operations:
    """The API as it is: one request each, answers as they came."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_jwks(self) -> Any:
        """The public keys that verify access tokens (RFC 7517).

        `GET /.well-known/jwks.json`
        """
        call = Call("GET", "/.well-known/jwks.json", may_repeat=True)
        answer: Any = self._transport.json(call)
        return answer

    def get_manifest_keys(self) -> Any:
        """The public keys that verify manifests of models (RFC 7517). They stay for ever.

        `GET /.well-known/manifest-keys.json`
        """
        call = Call("GET", "/.well-known/manifest-keys.json", may_repeat=True)
        answer: Any = self._transport.json(call)
        return answer

    def get_health(self) -> models.Health:
        """Whether this process answers.

        `GET /healthz`
        """
        call = Call("GET", "/healthz", may_repeat=True)
        answer: models.Health = self._transport.json(call)
        return answer

    def get_metrics(self) -> str:
        """Metrics in Prometheus' text format.

        `GET /metrics`
        """
        call = Call("GET", "/metrics", may_repeat=True)
        return self._transport.text(call)

    def get_openapi(self) -> Any:
        """This description.

        `GET /openapi.json`
        """
        call = Call("GET", "/openapi.json", may_repeat=True)
        answer: Any = self._transport.json(call)
        return answer

    def get_readiness(self) -> models.Health:
        """Whether this process can serve: database and object store answer.

        `GET /readyz`
        """
        call = Call("GET", "/readyz", may_repeat=True)
        answer: models.Health = self._transport.json(call)
        return answer

    def advise(self, body: models.AdviceDraft, *, prefer: str | None = None) -> models.AdviceView:
        """What to train, or what to try next.

        Of a dataset: which families fit it and why, each as a specification with what it is thought to take.
        Of a training that has ended: what its figures say, and the specification changed for the next one.
        Nothing is queued.

        `POST /v1/advice`
        """
        call = Call("POST", "/v1/advice", headers={"Prefer": prefer}, body=body, may_repeat=True)
        answer: models.AdviceView = self._transport.json(call)
        return answer

    def list_audit_records(
        self,
        *,
        tenant: models.Name | None = None,
        user: models.UserId | None = None,
        action: str | None = None,
        object: str | None = None,
        result: str | None = None,
        from_: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.ListingAuditRecord:
        """What was done, by whom, to what, from where, with what result.

        An owner reads the tenant's log, an operator the platform's or, with `tenant`, a tenant's. The newest
        first. With `Accept: application/jsonl` all records that have been sealed, the oldest first, one a
        line; `cursor` and `limit` do not count then.

        `GET /v1/audit`
        """
        call = Call(
            "GET",
            "/v1/audit",
            query={
                "tenant": tenant,
                "user": user,
                "action": action,
                "object": object,
                "result": result,
                "from": from_,
                "until": until,
                "cursor": cursor,
                "limit": limit,
            },
            may_repeat=True,
        )
        answer: models.ListingAuditRecord = self._transport.json(call)
        return answer

    def get_audit_head(self, *, tenant: models.Name | None = None) -> models.AuditHead:
        """The place and hash of the log's last record.

        Keep it elsewhere: whoever has it can tell later whether anything up to that place was changed. Before
        the first record the place is 0.

        `GET /v1/audit/head`
        """
        call = Call("GET", "/v1/audit/head", query={"tenant": tenant}, may_repeat=True)
        answer: models.AuditHead = self._transport.json(call)
        return answer

    def change_password(self, body: models.PasswordChange) -> None:
        """Choose another password: your other sessions end.

        `POST /v1/auth/password`
        """
        call = Call("POST", "/v1/auth/password", body=body)
        self._transport.nothing(call)

    def reset_password(self, body: models.PasswordReset) -> None:
        """Choose a password with a token from an operator: all your sessions end.

        `POST /v1/auth/password/reset`
        """
        call = Call("POST", "/v1/auth/password/reset", body=body)
        self._transport.nothing(call)

    def refresh_session(self, body: models.RefreshDraft) -> models.SignedIn:
        """The next access token of a session, and the next refresh token.

        A refresh token is good for one use. One that comes a second time was stolen, by whoever came first or
        second: the session ends for both.

        `POST /v1/auth/refresh`
        """
        call = Call("POST", "/v1/auth/refresh", body=body)
        answer: models.SignedIn = self._transport.json(call)
        return answer

    def list_sessions(self) -> models.ListingSessionView:
        """Your sessions, in every tenant.

        `GET /v1/auth/sessions`
        """
        call = Call("GET", "/v1/auth/sessions", may_repeat=True)
        answer: models.ListingSessionView = self._transport.json(call)
        return answer

    def end_session(self, id: models.SessionId) -> None:
        """End a session of yours: its access tokens end at once.

        `DELETE /v1/auth/sessions/{id}`
        """
        call = Call("DELETE", "/v1/auth/sessions/{id}", parts={"id": id})
        self._transport.nothing(call)

    def sign_in(self, body: models.Credentials) -> models.SignedIn:
        """Begin a session with a password.

        The access token lasts minutes; the refresh token gets the next one. A session ends after 14 days
        without a refresh, after 90 days, by signing out, or when a refresh token comes a second time.

        `POST /v1/auth/sign-in`
        """
        call = Call("POST", "/v1/auth/sign-in", body=body)
        answer: models.SignedIn = self._transport.json(call)
        return answer

    def sign_out(self) -> None:
        """End the session that the access token was made in.

        `POST /v1/auth/sign-out`
        """
        call = Call("POST", "/v1/auth/sign-out")
        self._transport.nothing(call)

    def create_token(self) -> models.TokenView:
        """A short-lived access token in exchange for an API key.

        The key is the request's `Authorization`. Revoking the key ends its tokens at once.

        `POST /v1/auth/token`
        """
        call = Call("POST", "/v1/auth/token")
        answer: models.TokenView = self._transport.json(call)
        return answer

    def list_collections(self, tenant: str) -> models.ListingCollectionView:
        """List a tenant's collections: another's public ones.

        `GET /v1/collections/{tenant}`
        """
        call = Call("GET", "/v1/collections/{tenant}", parts={"tenant": tenant}, may_repeat=True)
        answer: models.ListingCollectionView = self._transport.json(call)
        return answer

    def remove_collection(self, tenant: str, collection: str) -> None:
        """Remove a collection; its models stay.

        `DELETE /v1/collections/{tenant}/{collection}`
        """
        call = Call(
            "DELETE",
            "/v1/collections/{tenant}/{collection}",
            parts={"tenant": tenant, "collection": collection},
        )
        self._transport.nothing(call)

    def get_collection(self, tenant: str, collection: str) -> models.CollectionView:
        """Read a collection.

        `GET /v1/collections/{tenant}/{collection}`
        """
        call = Call(
            "GET",
            "/v1/collections/{tenant}/{collection}",
            parts={"tenant": tenant, "collection": collection},
            may_repeat=True,
        )
        answer: models.CollectionView = self._transport.json(call)
        return answer

    def put_collection(
        self,
        tenant: str,
        collection: str,
        body: models.NewCollection,
    ) -> models.CollectionView:
        """Make a collection, or put this one in its place.

        `PUT /v1/collections/{tenant}/{collection}`
        """
        call = Call(
            "PUT",
            "/v1/collections/{tenant}/{collection}",
            parts={"tenant": tenant, "collection": collection},
            body=body,
            may_repeat=True,
        )
        answer: models.CollectionView = self._transport.json(call)
        return answer

    def list_datasets(self) -> models.ListingDatasetView:
        """List the tenant's datasets.

        `GET /v1/datasets`
        """
        call = Call("GET", "/v1/datasets", may_repeat=True)
        answer: models.ListingDatasetView = self._transport.json(call)
        return answer

    def get_dataset(self, name: str) -> models.DatasetView:
        """Read a dataset.

        `GET /v1/datasets/{name}`
        """
        call = Call("GET", "/v1/datasets/{name}", parts={"name": name}, may_repeat=True)
        answer: models.DatasetView = self._transport.json(call)
        return answer

    def list_dataset_versions(self, name: str) -> models.ListingDatasetVersionView:
        """List a dataset's versions, newest first.

        `GET /v1/datasets/{name}/versions`
        """
        call = Call("GET", "/v1/datasets/{name}/versions", parts={"name": name}, may_repeat=True)
        answer: models.ListingDatasetVersionView = self._transport.json(call)
        return answer

    def push_dataset(
        self,
        name: str,
        content: Content,
        content_type: str,
        *,
        format: models.Format | None = None,
        compression: models.Compression | None = None,
        content_encoding: str | None = None,
        prefer: str | None = None,
    ) -> models.DatasetVersionView:
        """Push a file as a version of a dataset.

        The body is the file itself, streamed. The same bytes again answer 200 with the version that has them.
        With `Prefer: wait=N` (seconds, at most 30) the answer waits for the profile.

        `POST /v1/datasets/{name}/versions`
        """
        call = Call(
            "POST",
            "/v1/datasets/{name}/versions",
            parts={"name": name},
            query={"format": format, "compression": compression},
            headers={"Content-Encoding": content_encoding, "Prefer": prefer},
            content=content,
            content_type=content_type,
            may_repeat=True,
        )
        answer: models.DatasetVersionView = self._transport.json(call)
        return answer

    def get_dataset_version(self, name: str, version: str) -> models.DatasetVersionView:
        """Read a version, with its profile.

        `GET /v1/datasets/{name}/versions/{version}`
        """
        call = Call(
            "GET",
            "/v1/datasets/{name}/versions/{version}",
            parts={"name": name, "version": version},
            may_repeat=True,
        )
        answer: models.DatasetVersionView = self._transport.json(call)
        return answer

    def download_dataset_version(self, name: str, version: str) -> Streamed:
        """Download a version's bytes, as they were sent.

        `GET /v1/datasets/{name}/versions/{version}/content`
        """
        call = Call(
            "GET",
            "/v1/datasets/{name}/versions/{version}/content",
            parts={"name": name, "version": version},
            may_repeat=True,
        )
        return self._transport.stream(call)

    def get_dataset_lineage(self, name: str, version: str) -> models.DatasetLineageView:
        """Read what was trained on a dataset's version, and what was built upon that.

        `GET /v1/datasets/{name}/versions/{version}/lineage`
        """
        call = Call(
            "GET",
            "/v1/datasets/{name}/versions/{version}/lineage",
            parts={"name": name, "version": version},
            may_repeat=True,
        )
        answer: models.DatasetLineageView = self._transport.json(call)
        return answer

    def list_endpoints(self) -> models.ListingEndpointView:
        """List endpoints.

        `GET /v1/endpoints`
        """
        call = Call("GET", "/v1/endpoints", may_repeat=True)
        answer: models.ListingEndpointView = self._transport.json(call)
        return answer

    def remove_endpoint(self, endpoint: str) -> None:
        """Remove an endpoint and its splits; the models stay.

        `DELETE /v1/endpoints/{endpoint}`
        """
        call = Call("DELETE", "/v1/endpoints/{endpoint}", parts={"endpoint": endpoint})
        self._transport.nothing(call)

    def get_endpoint(self, endpoint: str) -> models.EndpointView:
        """Read an endpoint, and what came of its split.

        `GET /v1/endpoints/{endpoint}`
        """
        call = Call("GET", "/v1/endpoints/{endpoint}", parts={"endpoint": endpoint}, may_repeat=True)
        answer: models.EndpointView = self._transport.json(call)
        return answer

    def put_endpoint(
        self,
        endpoint: str,
        body: models.NewEndpoint,
        *,
        if_match: str | None = None,
    ) -> models.EndpointView:
        """Make an endpoint, or change it to this. Callers that are being answered are not disturbed.

        `PUT /v1/endpoints/{endpoint}`
        """
        call = Call(
            "PUT",
            "/v1/endpoints/{endpoint}",
            parts={"endpoint": endpoint},
            headers={"If-Match": if_match},
            body=body,
            may_repeat=True,
        )
        answer: models.EndpointView = self._transport.json(call)
        return answer

    def predict_by_endpoint(
        self,
        endpoint: str,
        body: models.PredictRequest,
        *,
        sticky_key: str | None = None,
    ) -> models.PredictAnswer:
        """Predict with one of an endpoint's versions.

        `POST /v1/endpoints/{endpoint}/predict`
        """
        call = Call(
            "POST",
            "/v1/endpoints/{endpoint}/predict",
            parts={"endpoint": endpoint},
            headers={"Sticky-Key": sticky_key},
            body=body,
            may_repeat=True,
        )
        answer: models.PredictAnswer = self._transport.json(call)
        return answer

    def list_endpoint_revisions(self, endpoint: str) -> models.ListingEndpointRevisionView:
        """List an endpoint's splits: the newest hundred, newest first.

        `GET /v1/endpoints/{endpoint}/revisions`
        """
        call = Call(
            "GET",
            "/v1/endpoints/{endpoint}/revisions",
            parts={"endpoint": endpoint},
            may_repeat=True,
        )
        answer: models.ListingEndpointRevisionView = self._transport.json(call)
        return answer

    def roll_back_endpoint(self, endpoint: str, body: models.Rollback) -> models.EndpointView:
        """Go back to an earlier split: it comes into force again as the newest revision.

        `POST /v1/endpoints/{endpoint}/rollback`
        """
        call = Call("POST", "/v1/endpoints/{endpoint}/rollback", parts={"endpoint": endpoint}, body=body)
        answer: models.EndpointView = self._transport.json(call)
        return answer

    def list_featured(self) -> models.ListingFeaturedView:
        """List what is featured.

        `GET /v1/featured`
        """
        call = Call("GET", "/v1/featured", may_repeat=True)
        answer: models.ListingFeaturedView = self._transport.json(call)
        return answer

    def remove_featured(self, list: str) -> None:
        """Remove a list; its models stay.

        `DELETE /v1/featured/{list}`
        """
        call = Call("DELETE", "/v1/featured/{list}", parts={"list": list})
        self._transport.nothing(call)

    def put_featured(self, list: models.Name, body: models.NewFeatured) -> None:
        """Make a list, or put this one in its place.

        `PUT /v1/featured/{list}`
        """
        call = Call("PUT", "/v1/featured/{list}", parts={"list": list}, body=body, may_repeat=True)
        self._transport.nothing(call)

    def list_invitations(self) -> models.ListingInvitationView:
        """Invitations to the tenant that wait for an answer.

        `GET /v1/invitations`
        """
        call = Call("GET", "/v1/invitations", may_repeat=True)
        answer: models.ListingInvitationView = self._transport.json(call)
        return answer

    def create_invitation(self, body: models.InvitationDraft) -> models.IssuedInvitation:
        """Invite somebody into the tenant: hand them the token.

        `POST /v1/invitations`
        """
        call = Call("POST", "/v1/invitations", body=body)
        answer: models.IssuedInvitation = self._transport.json(call)
        return answer

    def accept_invitation(self, body: models.Acceptance) -> models.SignedIn:
        """Accept an invitation: it begins a session.

        `POST /v1/invitations/accept`
        """
        call = Call("POST", "/v1/invitations/accept", body=body)
        answer: models.SignedIn = self._transport.json(call)
        return answer

    def revoke_invitation(self, id: models.InvitationId) -> None:
        """Take an invitation back.

        `DELETE /v1/invitations/{id}`
        """
        call = Call("DELETE", "/v1/invitations/{id}", parts={"id": id})
        self._transport.nothing(call)

    def list_jobs(
        self,
        *,
        status: models.JobStatus | None = None,
        kind: models.JobKind | None = None,
        sweep: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.ListingJobView:
        """List the tenant's jobs, newest first.

        `GET /v1/jobs`
        """
        call = Call(
            "GET",
            "/v1/jobs",
            query={"status": status, "kind": kind, "sweep": sweep, "cursor": cursor, "limit": limit},
            may_repeat=True,
        )
        answer: models.ListingJobView = self._transport.json(call)
        return answer

    def submit_job(
        self,
        body: models.TrainingDraft,
        *,
        idempotency_key: str | None = None,
        prefer: str | None = None,
    ) -> models.JobView:
        """Submit a training job.

        Only `dataset` and `target` are needed; the answer shows the specification with every default filled
        in.

        `POST /v1/jobs`
        """
        call = Call(
            "POST",
            "/v1/jobs",
            headers={"Idempotency-Key": idempotency_key, "Prefer": prefer},
            body=body,
            may_repeat=True,
        )
        answer: models.JobView = self._transport.json(call)
        return answer

    def dry_run_job(self, body: models.TrainingDraft) -> models.DryRunView:
        """What would become of a job, without submitting it.

        Whether it would be accepted, when it would start, what it uses at most, and what would let it start
        sooner. Nothing is queued.

        `POST /v1/jobs/dry-run`
        """
        call = Call("POST", "/v1/jobs/dry-run", body=body, may_repeat=True)
        answer: models.DryRunView = self._transport.json(call)
        return answer

    def get_job(self, id: models.JobId) -> models.JobView:
        """Read a job.

        `GET /v1/jobs/{id}`
        """
        call = Call("GET", "/v1/jobs/{id}", parts={"id": id}, may_repeat=True)
        answer: models.JobView = self._transport.json(call)
        return answer

    def list_attempts(self, id: models.JobId) -> models.ListingAttemptView:
        """A job's attempts, in order, with what each used and cost.

        `GET /v1/jobs/{id}/attempts`
        """
        call = Call("GET", "/v1/jobs/{id}/attempts", parts={"id": id}, may_repeat=True)
        answer: models.ListingAttemptView = self._transport.json(call)
        return answer

    def cancel_job(self, id: models.JobId) -> models.JobView:
        """Ask a job to end.

        A waiting job ends at once, a running one within moments. Asking again, or after the end, changes
        nothing.

        `POST /v1/jobs/{id}/cancel`
        """
        call = Call("POST", "/v1/jobs/{id}/cancel", parts={"id": id})
        answer: models.JobView = self._transport.json(call)
        return answer

    def follow_job(
        self,
        id: models.JobId,
        *,
        after: int | None = None,
        last_event_id: int | None = None,
    ) -> Streamed:
        """Follow a job live (server-sent events).

        `id:` is the event's number, `event:` its kind, `data:` JSON. Events so far come first; after the
        final one (`succeeded`, `failed` or `cancelled`) the stream ends. `progress` has no number: it says
        how far the job is, and is not repeated. Answers 204 if there is nothing more to come.

        `GET /v1/jobs/{id}/events`
        """
        call = Call(
            "GET",
            "/v1/jobs/{id}/events",
            parts={"id": id},
            query={"after": after},
            headers={"Last-Event-ID": last_event_id},
            may_repeat=True,
        )
        return self._transport.stream(call)

    def explain_job(self, id: models.JobId) -> models.ExplanationView:
        """Why a job waits, what is ahead of it, and when it is expected to start.

        `GET /v1/jobs/{id}/explanation`
        """
        call = Call("GET", "/v1/jobs/{id}/explanation", parts={"id": id}, may_repeat=True)
        answer: models.ExplanationView = self._transport.json(call)
        return answer

    def get_job_logs(self, id: models.JobId, *, limit: int | None = None) -> models.ListingLogLineView:
        """Read the last lines that a job has written.

        `GET /v1/jobs/{id}/logs`
        """
        call = Call("GET", "/v1/jobs/{id}/logs", parts={"id": id}, query={"limit": limit}, may_repeat=True)
        answer: models.ListingLogLineView = self._transport.json(call)
        return answer

    def get_job_metrics(self, id: models.JobId) -> models.MetricsView:
        """Read what a job has measured, as time series.

        `GET /v1/jobs/{id}/metrics`
        """
        call = Call("GET", "/v1/jobs/{id}/metrics", parts={"id": id}, may_repeat=True)
        answer: models.MetricsView = self._transport.json(call)
        return answer

    def pause_job(self, id: models.JobId) -> models.JobView:
        """Hold a job until it is resumed.

        A waiting job does not start; a running one stops after a checkpoint, from which it goes on. Asking
        again changes nothing; a job that has ended answers 409.

        `POST /v1/jobs/{id}/pause`
        """
        call = Call("POST", "/v1/jobs/{id}/pause", parts={"id": id})
        answer: models.JobView = self._transport.json(call)
        return answer

    def delete_job_result(self, id: models.JobId) -> None:
        """Delete what a job has answered.

        It frees the tenant's storage; the job and its counts stay.

        `DELETE /v1/jobs/{id}/result`
        """
        call = Call("DELETE", "/v1/jobs/{id}/result", parts={"id": id})
        self._transport.nothing(call)

    def download_job_result(self, id: models.JobId) -> Streamed:
        """Download what a job has answered.

        JSON lines: each with the number of its row, counted from 1, and the row's prediction, or with
        `errors` in its place. In parts (`Range`) too.

        `GET /v1/jobs/{id}/result`
        """
        call = Call("GET", "/v1/jobs/{id}/result", parts={"id": id}, may_repeat=True)
        return self._transport.stream(call)

    def resume_job(self, id: models.JobId) -> models.JobView:
        """Let a paused job go on.

        `POST /v1/jobs/{id}/resume`
        """
        call = Call("POST", "/v1/jobs/{id}/resume", parts={"id": id})
        answer: models.JobView = self._transport.json(call)
        return answer

    def list_keys(self) -> models.ListingKeyView:
        """API keys: your own; those who run the tenant see everybody's.

        `GET /v1/keys`
        """
        call = Call("GET", "/v1/keys", may_repeat=True)
        answer: models.ListingKeyView = self._transport.json(call)
        return answer

    def create_key(self, body: models.KeyRequest) -> models.IssuedKey:
        """Make an API key for yourself, or for a service account.

        It may be held to some scopes, some networks and a time. One that is makes no other key.

        `POST /v1/keys`
        """
        call = Call("POST", "/v1/keys", body=body)
        answer: models.IssuedKey = self._transport.json(call)
        return answer

    def revoke_key(self, id: models.ApiKeyId) -> None:
        """Revoke an API key: it and its access tokens end at once.

        `DELETE /v1/keys/{id}`
        """
        call = Call("DELETE", "/v1/keys/{id}", parts={"id": id})
        self._transport.nothing(call)

    def rotate_key(self, id: models.ApiKeyId, body: models.Rotation) -> models.IssuedKey:
        """Replace an API key: another one under the same terms, while the old one goes on for a while.

        `POST /v1/keys/{id}/rotate`
        """
        call = Call("POST", "/v1/keys/{id}/rotate", parts={"id": id}, body=body)
        answer: models.IssuedKey = self._transport.json(call)
        return answer

    def get_me(self) -> models.MeView:
        """Who the credential stands for.

        `GET /v1/me`
        """
        call = Call("GET", "/v1/me", may_repeat=True)
        answer: models.MeView = self._transport.json(call)
        return answer

    def list_models(
        self,
        *,
        visibility: Literal["public", "shared"] | None = None,
        q: str | None = None,
        task: models.Task | None = None,
        family: Literal["dense", "convolutional", "recurrent", "transformer", "factorization"] | None = None,
        input: Literal["table", "text", "corpus", "images", "series", "ratings"] | None = None,
        licence: models.Licence | None = None,
        tags: str | None = None,
        tenant: str | None = None,
        metric: str | None = None,
        at_least: float | None = None,
        at_most: float | None = None,
        max_bytes: int | None = None,
        sort: Literal["relevance", "updated", "created", "downloads", "likes", "trending"] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.ListingModelView:
        """Search models.

        `GET /v1/models`
        """
        call = Call(
            "GET",
            "/v1/models",
            query={
                "visibility": visibility,
                "q": q,
                "task": task,
                "family": family,
                "input": input,
                "licence": licence,
                "tags": tags,
                "tenant": tenant,
                "metric": metric,
                "at_least": at_least,
                "at_most": at_most,
                "max_bytes": max_bytes,
                "sort": sort,
                "cursor": cursor,
                "limit": limit,
            },
            may_repeat=True,
        )
        answer: models.ListingModelView = self._transport.json(call)
        return answer

    def create_model(self, body: models.NewModel) -> models.ModelDetail:
        """Make a model, into which files are sent later. Jobs make theirs themselves.

        `POST /v1/models`
        """
        call = Call("POST", "/v1/models", body=body)
        answer: models.ModelDetail = self._transport.json(call)
        return answer

    def get_model(self, tenant: str, model: str) -> models.ModelDetail:
        """Read a model.

        `GET /v1/models/{tenant}/{model}`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}",
            parts={"tenant": tenant, "model": model},
            may_repeat=True,
        )
        answer: models.ModelDetail = self._transport.json(call)
        return answer

    def update_model(self, tenant: str, model: str, body: models.ModelChange) -> models.ModelDetail:
        """Change what is said of a model, its licence, and who sees it.

        `PATCH /v1/models/{tenant}/{model}`
        """
        call = Call(
            "PATCH",
            "/v1/models/{tenant}/{model}",
            parts={"tenant": tenant, "model": model},
            body=body,
        )
        answer: models.ModelDetail = self._transport.json(call)
        return answer

    def list_model_aliases(self, tenant: str, model: str) -> models.ListingAliasView:
        """List a model's aliases.

        `GET /v1/models/{tenant}/{model}/aliases`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/aliases",
            parts={"tenant": tenant, "model": model},
            may_repeat=True,
        )
        answer: models.ListingAliasView = self._transport.json(call)
        return answer

    def remove_model_alias(self, tenant: str, model: str, alias: str) -> None:
        """Remove an alias; the version stays.

        `DELETE /v1/models/{tenant}/{model}/aliases/{alias}`
        """
        call = Call(
            "DELETE",
            "/v1/models/{tenant}/{model}/aliases/{alias}",
            parts={"tenant": tenant, "model": model, "alias": alias},
        )
        self._transport.nothing(call)

    def set_model_alias(self, tenant: str, model: str, alias: str, body: models.AliasTarget) -> None:
        """Give a version a name, or move the name to it.

        `PUT /v1/models/{tenant}/{model}/aliases/{alias}`
        """
        call = Call(
            "PUT",
            "/v1/models/{tenant}/{model}/aliases/{alias}",
            parts={"tenant": tenant, "model": model, "alias": alias},
            body=body,
            may_repeat=True,
        )
        self._transport.nothing(call)

    def batch_predict(
        self,
        tenant: str,
        model: str,
        body: models.BatchRequest,
        *,
        version: str | None = None,
        prefer: str | None = None,
    ) -> models.JobView:
        """Ask a model about all rows of a dataset.

        Submits a job, which leaves a file of JSON lines: each with the row's number, counted from 1, and what
        `predict` answers to it. The job shows where the file is.

        `POST /v1/models/{tenant}/{model}/batch-predictions`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/batch-predictions",
            parts={"tenant": tenant, "model": model},
            query={"version": version},
            headers={"Prefer": prefer},
            body=body,
        )
        answer: models.JobView = self._transport.json(call)
        return answer

    def dry_run_batch_predict(
        self,
        tenant: str,
        model: str,
        body: models.BatchRequest,
        *,
        version: str | None = None,
        prefer: str | None = None,
    ) -> models.DryRunView:
        """What would become of such a job, without submitting it.

        `POST /v1/models/{tenant}/{model}/batch-predictions/dry-run`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/batch-predictions/dry-run",
            parts={"tenant": tenant, "model": model},
            query={"version": version},
            headers={"Prefer": prefer},
            body=body,
            may_repeat=True,
        )
        answer: models.DryRunView = self._transport.json(call)
        return answer

    def unlike_model(self, tenant: str, model: str) -> models.Likes:
        """Take a like back.

        `DELETE /v1/models/{tenant}/{model}/like`
        """
        call = Call("DELETE", "/v1/models/{tenant}/{model}/like", parts={"tenant": tenant, "model": model})
        answer: models.Likes = self._transport.json(call)
        return answer

    def like_model(self, tenant: str, model: str) -> models.Likes:
        """Like a model; whoever does so twice likes it once.

        `PUT /v1/models/{tenant}/{model}/like`
        """
        call = Call(
            "PUT",
            "/v1/models/{tenant}/{model}/like",
            parts={"tenant": tenant, "model": model},
            may_repeat=True,
        )
        answer: models.Likes = self._transport.json(call)
        return answer

    def predict(
        self,
        tenant: str,
        model: str,
        body: models.PredictRequest,
        *,
        version: str | None = None,
    ) -> models.PredictAnswer:
        """Predict with a published model.

        With `stream`, or where `text/event-stream` is accepted, a language model's text comes as server-sent
        events: each `{"text": "…"}` goes on where the one before it ended, and the last one, `event: done`,
        has the whole.

        `POST /v1/models/{tenant}/{model}/predict`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/predict",
            parts={"tenant": tenant, "model": model},
            query={"version": version},
            body=body,
            may_repeat=True,
        )
        answer: models.PredictAnswer = self._transport.json(call)
        return answer

    def list_model_versions(
        self,
        tenant: str,
        model: str,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.ListingModelVersionView:
        """List a model's versions, newest first.

        `GET /v1/models/{tenant}/{model}/versions`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions",
            parts={"tenant": tenant, "model": model},
            query={"cursor": cursor, "limit": limit},
            may_repeat=True,
        )
        answer: models.ListingModelVersionView = self._transport.json(call)
        return answer

    def delete_model_version(self, tenant: str, model: str, version: str) -> None:
        """Delete a version. Its number is not given again; who has it downloaded already keeps it.

        `DELETE /v1/models/{tenant}/{model}/versions/{version}`
        """
        call = Call(
            "DELETE",
            "/v1/models/{tenant}/{model}/versions/{version}",
            parts={"tenant": tenant, "model": model, "version": version},
        )
        self._transport.nothing(call)

    def get_model_version(self, tenant: str, model: str, version: str) -> models.ModelVersionView:
        """Read a version: its metrics, what it was made from, and its files.

        `GET /v1/models/{tenant}/{model}/versions/{version}`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}",
            parts={"tenant": tenant, "model": model, "version": version},
            may_repeat=True,
        )
        answer: models.ModelVersionView = self._transport.json(call)
        return answer

    def update_model_version(
        self,
        tenant: str,
        model: str,
        version: str,
        body: models.VersionChange,
    ) -> models.ModelVersionView:
        """Publish a draft, deprecate a version, or yank it.

        `PATCH /v1/models/{tenant}/{model}/versions/{version}`
        """
        call = Call(
            "PATCH",
            "/v1/models/{tenant}/{model}/versions/{version}",
            parts={"tenant": tenant, "model": model, "version": version},
            body=body,
        )
        answer: models.ModelVersionView = self._transport.json(call)
        return answer

    def get_model_card(self, tenant: str, model: str, version: str) -> str:
        """Read a version's card, as Markdown or, to who accepts it, as HTML.

        `GET /v1/models/{tenant}/{model}/versions/{version}/card`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/card",
            parts={"tenant": tenant, "model": model, "version": version},
            may_repeat=True,
        )
        return self._transport.text(call)

    def compare_model_versions(
        self,
        tenant: str,
        model: str,
        version: str,
        with_: str,
    ) -> models.ComparisonView:
        """Compare a version with another: specifications, metrics, data and weights.

        `GET /v1/models/{tenant}/{model}/versions/{version}/compare`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/compare",
            parts={"tenant": tenant, "model": model, "version": version},
            query={"with": with_},
            may_repeat=True,
        )
        answer: models.ComparisonView = self._transport.json(call)
        return answer

    def evaluate_model_versions(
        self,
        tenant: str,
        model: str,
        version: str,
        body: models.Rerun,
    ) -> models.JobView:
        """Judge a version and another on the same rows.

        Submits a job. On the data that the newer of both was trained on, the rows are those that its training
        held back; on other data all rows. What it finds is in the comparison's `evaluations`.

        `POST /v1/models/{tenant}/{model}/versions/{version}/compare`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/versions/{version}/compare",
            parts={"tenant": tenant, "model": model, "version": version},
            body=body,
        )
        answer: models.JobView = self._transport.json(call)
        return answer

    def download_model_file(self, tenant: str, model: str, version: str, file: str) -> Streamed:
        """Download a file of a version.

        `GET /v1/models/{tenant}/{model}/versions/{version}/files/{file}`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/files/{file}",
            parts={"tenant": tenant, "model": model, "version": version, "file": file},
            may_repeat=True,
        )
        return self._transport.stream(call)

    def fork_model_version(
        self,
        tenant: str,
        model: str,
        version: str,
        body: models.NewFork,
    ) -> models.ModelVersionView:
        """Fork a version: a new model of the caller's tenant begins with its files.

        `POST /v1/models/{tenant}/{model}/versions/{version}/fork`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/versions/{version}/fork",
            parts={"tenant": tenant, "model": model, "version": version},
            body=body,
        )
        answer: models.ModelVersionView = self._transport.json(call)
        return answer

    def get_importance(self, tenant: str, model: str, version: str) -> models.ListingImportanceView:
        """Read what the features of a version are worth to it.

        As jobs of the caller's tenant have measured it, the newest first, ten at most.

        `GET /v1/models/{tenant}/{model}/versions/{version}/importance`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/importance",
            parts={"tenant": tenant, "model": model, "version": version},
            may_repeat=True,
        )
        answer: models.ListingImportanceView = self._transport.json(call)
        return answer

    def measure_importance(
        self,
        tenant: str,
        model: str,
        version: str,
        body: models.ImportanceRequest,
    ) -> models.JobView:
        """Measure what the features of a version are worth to it.

        Submits a job, which shuffles the values of one feature after the other and judges the version each
        time. On the data that it was trained on, the rows are those that its training held back; on other
        data all rows.

        `POST /v1/models/{tenant}/{model}/versions/{version}/importance`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/versions/{version}/importance",
            parts={"tenant": tenant, "model": model, "version": version},
            body=body,
        )
        answer: models.JobView = self._transport.json(call)
        return answer

    def get_model_lineage(self, tenant: str, model: str, version: str) -> models.LineageView:
        """Read a version's lineage: back to the data that it was trained on, and on to what was built upon it.

        `GET /v1/models/{tenant}/{model}/versions/{version}/lineage`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/lineage",
            parts={"tenant": tenant, "model": model, "version": version},
            may_repeat=True,
        )
        answer: models.LineageView = self._transport.json(call)
        return answer

    def get_model_manifest(self, tenant: str, model: str, version: str) -> models.ManifestView:
        """Read a version's signed manifest: its files by digest, and what it was made from.

        `GET /v1/models/{tenant}/{model}/versions/{version}/manifest`
        """
        call = Call(
            "GET",
            "/v1/models/{tenant}/{model}/versions/{version}/manifest",
            parts={"tenant": tenant, "model": model, "version": version},
            may_repeat=True,
        )
        answer: models.ManifestView = self._transport.json(call)
        return answer

    def reproduce_model_version(self, tenant: str, model: str, version: str) -> models.JobView:
        """Make a version again.

        Submits the very job that made it. The job publishes a draft of the same model, whose `reproduces`
        says whether the files are the same.

        `POST /v1/models/{tenant}/{model}/versions/{version}/reproduce`
        """
        call = Call(
            "POST",
            "/v1/models/{tenant}/{model}/versions/{version}/reproduce",
            parts={"tenant": tenant, "model": model, "version": version},
        )
        answer: models.JobView = self._transport.json(call)
        return answer

    def get_organization(self, tenant: str) -> models.OrganizationView:
        """Read what a tenant shows to everybody.

        `GET /v1/organizations/{tenant}`
        """
        call = Call("GET", "/v1/organizations/{tenant}", parts={"tenant": tenant}, may_repeat=True)
        answer: models.OrganizationView = self._transport.json(call)
        return answer

    def list_platform_invitations(self) -> models.ListingInvitationView:
        """Invitations to run the platform that wait for an answer.

        `GET /v1/platform/invitations`
        """
        call = Call("GET", "/v1/platform/invitations", may_repeat=True)
        answer: models.ListingInvitationView = self._transport.json(call)
        return answer

    def create_platform_invitation(self, body: models.InvitationDraft) -> models.IssuedInvitation:
        """Invite somebody to run the platform, or to look at how it is run.

        `POST /v1/platform/invitations`
        """
        call = Call("POST", "/v1/platform/invitations", body=body)
        answer: models.IssuedInvitation = self._transport.json(call)
        return answer

    def revoke_platform_invitation(self, id: models.InvitationId) -> None:
        """Take an invitation to the platform back.

        `DELETE /v1/platform/invitations/{id}`
        """
        call = Call("DELETE", "/v1/platform/invitations/{id}", parts={"id": id})
        self._transport.nothing(call)

    def list_platform_users(self) -> models.ListingPlatformUserView:
        """Operators and auditors.

        `GET /v1/platform/users`
        """
        call = Call("GET", "/v1/platform/users", may_repeat=True)
        answer: models.ListingPlatformUserView = self._transport.json(call)
        return answer

    def remove_platform_user(self, id: models.UserId) -> None:
        """Take somebody's role in the platform: their keys and sessions there end at once.

        `DELETE /v1/platform/users/{id}`
        """
        call = Call("DELETE", "/v1/platform/users/{id}", parts={"id": id})
        self._transport.nothing(call)

    def list_pools(self) -> models.ListingPoolView:
        """Every pool, with what its workers have and what is used of it.

        `GET /v1/pools`
        """
        call = Call("GET", "/v1/pools", may_repeat=True)
        answer: models.ListingPoolView = self._transport.json(call)
        return answer

    def create_pool(self, body: models.PoolDraft) -> models.CreatedPool:
        """Make a pool; workers join it by its name.

        `POST /v1/pools`
        """
        call = Call("POST", "/v1/pools", body=body)
        answer: models.CreatedPool = self._transport.json(call)
        return answer

    def change_pool(self, pool: models.Name, body: models.PoolChange) -> models.PricesView:
        """Change what an hour in a pool costs.

        It holds for attempts that start from now on; what runs keeps its price.

        `PATCH /v1/pools/{pool}`
        """
        call = Call("PATCH", "/v1/pools/{pool}", parts={"pool": pool}, body=body)
        answer: models.PricesView = self._transport.json(call)
        return answer

    def get_queue(self, pool: models.Name) -> models.QueueView:
        """Who waits in a pool, and why.

        How tenants stand, what waits with its place and its reason, and what the next plan would do.

        `GET /v1/pools/{pool}/queue`
        """
        call = Call("GET", "/v1/pools/{pool}/queue", parts={"pool": pool}, may_repeat=True)
        answer: models.QueueView = self._transport.json(call)
        return answer

    def get_shares(
        self,
        pool: models.Name,
        *,
        from_: str | None = None,
        until: str | None = None,
        tenants: int | None = None,
    ) -> models.SharesView:
        """Read how a pool was shared over time.

        Looked at once a minute by the scheduler: by minutes for a day, by ten minutes for a week, by hours
        for 90 days.

        `GET /v1/pools/{pool}/shares`
        """
        call = Call(
            "GET",
            "/v1/pools/{pool}/shares",
            parts={"pool": pool},
            query={"from": from_, "until": until, "tenants": tenants},
            may_repeat=True,
        )
        answer: models.SharesView = self._transport.json(call)
        return answer

    def list_schedules(self) -> models.ListingScheduleView:
        """The tenant's schedules by name.

        `GET /v1/schedules`
        """
        call = Call("GET", "/v1/schedules", may_repeat=True)
        answer: models.ListingScheduleView = self._transport.json(call)
        return answer

    def create_schedule(self, body: models.ScheduleDraft) -> models.ScheduleView:
        """Submit a training whenever its time comes.

        Times that pass while the platform is down are made up for by one run. Each run has its own job, whose
        id is `last_job` until the next one.

        `POST /v1/schedules`
        """
        call = Call("POST", "/v1/schedules", body=body)
        answer: models.ScheduleView = self._transport.json(call)
        return answer

    def delete_schedule(self, schedule: models.ScheduleId) -> None:
        """Delete a schedule. Jobs that were submitted go on.

        `DELETE /v1/schedules/{schedule}`
        """
        call = Call("DELETE", "/v1/schedules/{schedule}", parts={"schedule": schedule})
        self._transport.nothing(call)

    def get_schedule(self, schedule: models.ScheduleId) -> models.ScheduleView:
        """One schedule.

        `GET /v1/schedules/{schedule}`
        """
        call = Call("GET", "/v1/schedules/{schedule}", parts={"schedule": schedule}, may_repeat=True)
        answer: models.ScheduleView = self._transport.json(call)
        return answer

    def pause_schedule(self, schedule: models.ScheduleId) -> models.ScheduleView:
        """Submit nothing until it is resumed. Jobs that were submitted go on.

        `POST /v1/schedules/{schedule}/pause`
        """
        call = Call("POST", "/v1/schedules/{schedule}/pause", parts={"schedule": schedule})
        answer: models.ScheduleView = self._transport.json(call)
        return answer

    def resume_schedule(self, schedule: models.ScheduleId) -> models.ScheduleView:
        """Go on with the next time from now.

        `POST /v1/schedules/{schedule}/resume`
        """
        call = Call("POST", "/v1/schedules/{schedule}/resume", parts={"schedule": schedule})
        answer: models.ScheduleView = self._transport.json(call)
        return answer

    def add_service_account(self, body: models.ServiceAccountDraft) -> models.AddedServiceAccount:
        """Add a service account, for a program: it cannot sign in, and stays when people leave.

        Its keys are made by `POST /v1/keys` with its id as `user`.

        `POST /v1/service-accounts`
        """
        call = Call("POST", "/v1/service-accounts", body=body)
        answer: models.AddedServiceAccount = self._transport.json(call)
        return answer

    def list_sweeps(self, *, cursor: str | None = None, limit: int | None = None) -> models.ListingSweepView:
        """The tenant's sweeps, newest first.

        `GET /v1/sweeps`
        """
        call = Call("GET", "/v1/sweeps", query={"cursor": cursor, "limit": limit}, may_repeat=True)
        answer: models.ListingSweepView = self._transport.json(call)
        return answer

    def submit_sweep(self, body: models.SweepDraft) -> models.SweepView:
        """Train one specification at many points.

        Each point is a job of its own, listed by `GET /v1/jobs?sweep=…`; at most `parallelism` of them run at
        once. All of them are accepted, or none.

        `POST /v1/sweeps`
        """
        call = Call("POST", "/v1/sweeps", body=body)
        answer: models.SweepView = self._transport.json(call)
        return answer

    def get_sweep(self, sweep: models.SweepId) -> models.SweepView:
        """One sweep: how its jobs stand, and the best of them.

        `GET /v1/sweeps/{sweep}`
        """
        call = Call("GET", "/v1/sweeps/{sweep}", parts={"sweep": sweep}, may_repeat=True)
        answer: models.SweepView = self._transport.json(call)
        return answer

    def cancel_sweep(self, sweep: models.SweepId) -> models.SweepView:
        """Ask all of a sweep's jobs to end.

        `POST /v1/sweeps/{sweep}/cancel`
        """
        call = Call("POST", "/v1/sweeps/{sweep}/cancel", parts={"sweep": sweep})
        answer: models.SweepView = self._transport.json(call)
        return answer

    def pause_sweep(self, sweep: models.SweepId) -> models.SweepView:
        """Hold all of a sweep's jobs that have not ended; what runs stops after a checkpoint.

        `POST /v1/sweeps/{sweep}/pause`
        """
        call = Call("POST", "/v1/sweeps/{sweep}/pause", parts={"sweep": sweep})
        answer: models.SweepView = self._transport.json(call)
        return answer

    def resume_sweep(self, sweep: models.SweepId) -> models.SweepView:
        """Let a sweep's paused jobs go on.

        `POST /v1/sweeps/{sweep}/resume`
        """
        call = Call("POST", "/v1/sweeps/{sweep}/resume", parts={"sweep": sweep})
        answer: models.SweepView = self._transport.json(call)
        return answer

    def list_tenants(self) -> models.ListingTenantView:
        """Every tenant.

        `GET /v1/tenants`
        """
        call = Call("GET", "/v1/tenants", may_repeat=True)
        answer: models.ListingTenantView = self._transport.json(call)
        return answer

    def create_tenant(self, body: models.TenantDraft) -> models.CreatedTenant:
        """Make a tenant, and an invitation to its first owner: hand them the token.

        `POST /v1/tenants`
        """
        call = Call("POST", "/v1/tenants", body=body)
        answer: models.CreatedTenant = self._transport.json(call)
        return answer

    def close_tenant(self, slug: models.Name, *, erase: bool | None = None) -> None:
        """Close a tenant.

        Its keys stop working, its waiting jobs are cancelled and its running ones stop within moments; its
        schedules submit nothing more. What it has stays, unless it is erased: then the key that its data is
        encrypted with is destroyed, and nobody can read the data any more, whatever copies there are. Closing
        it again changes nothing.

        `DELETE /v1/tenants/{slug}`
        """
        call = Call("DELETE", "/v1/tenants/{slug}", parts={"slug": slug}, query={"erase": erase})
        self._transport.nothing(call)

    def get_tenant(self, slug: models.Name) -> models.TenantView:
        """One tenant.

        `GET /v1/tenants/{slug}`
        """
        call = Call("GET", "/v1/tenants/{slug}", parts={"slug": slug}, may_repeat=True)
        answer: models.TenantView = self._transport.json(call)
        return answer

    def change_tenant(self, slug: models.Name, body: models.TenantChange) -> models.TenantView:
        """Change a tenant's limits.

        `PATCH /v1/tenants/{slug}`
        """
        call = Call("PATCH", "/v1/tenants/{slug}", parts={"slug": slug}, body=body)
        answer: models.TenantView = self._transport.json(call)
        return answer

    def remove_budget(self, slug: models.Name) -> None:
        """Let a tenant spend without a limit; what it has spent is forgotten.

        `DELETE /v1/tenants/{slug}/budget`
        """
        call = Call("DELETE", "/v1/tenants/{slug}/budget", parts={"slug": slug})
        self._transport.nothing(call)

    def get_budget(self, slug: models.Name) -> models.BudgetView:
        """What a tenant may spend.

        `GET /v1/tenants/{slug}/budget`
        """
        call = Call("GET", "/v1/tenants/{slug}/budget", parts={"slug": slug}, may_repeat=True)
        answer: models.BudgetView = self._transport.json(call)
        return answer

    def set_budget(self, slug: models.Name, body: models.BudgetDraft) -> models.BudgetView:
        """Set what a tenant may spend, in all, since it first had a budget.

        A job starts only if the most that it may cost is within what is left, so nothing is ever spent beyond
        it. Lowering it stops nothing that runs.

        `PUT /v1/tenants/{slug}/budget`
        """
        call = Call("PUT", "/v1/tenants/{slug}/budget", parts={"slug": slug}, body=body, may_repeat=True)
        answer: models.BudgetView = self._transport.json(call)
        return answer

    def list_quotas(self, slug: models.Name) -> models.ListingQuotaView:
        """A tenant's quotas; pools where it has none are left out.

        `GET /v1/tenants/{slug}/quotas`
        """
        call = Call("GET", "/v1/tenants/{slug}/quotas", parts={"slug": slug}, may_repeat=True)
        answer: models.ListingQuotaView = self._transport.json(call)
        return answer

    def remove_quota(self, slug: models.Name, pool: models.Name) -> None:
        """Back to the default: nothing guaranteed, no limit, weight 1.

        `DELETE /v1/tenants/{slug}/quotas/{pool}`
        """
        call = Call("DELETE", "/v1/tenants/{slug}/quotas/{pool}", parts={"slug": slug, "pool": pool})
        self._transport.nothing(call)

    def set_quota(self, slug: models.Name, pool: models.Name, body: models.QuotaDraft) -> models.QuotaView:
        """Set what a tenant may use of a pool.

        It holds from the scheduler's next plan on. What runs beyond a lowered limit is stopped after a
        checkpoint and waits.

        `PUT /v1/tenants/{slug}/quotas/{pool}`
        """
        call = Call(
            "PUT",
            "/v1/tenants/{slug}/quotas/{pool}",
            parts={"slug": slug, "pool": pool},
            body=body,
            may_repeat=True,
        )
        answer: models.QuotaView = self._transport.json(call)
        return answer

    def foresee_quota(
        self,
        slug: models.Name,
        pool: models.Name,
        body: models.QuotaDraft,
    ) -> models.WhatIfView:
        """What another quota would change, before it is set.

        The pool's queue as it is, and as the next plan would leave it with this quota in place of the
        tenant's. Nothing is changed.

        `POST /v1/tenants/{slug}/quotas/{pool}/what-if`
        """
        call = Call(
            "POST",
            "/v1/tenants/{slug}/quotas/{pool}/what-if",
            parts={"slug": slug, "pool": pool},
            body=body,
        )
        answer: models.WhatIfView = self._transport.json(call)
        return answer

    def get_tenant_usage(
        self,
        slug: models.Name,
        *,
        from_: str | None = None,
        until: str | None = None,
    ) -> models.UsageView:
        """What a tenant has used, and its budget.

        `GET /v1/tenants/{slug}/usage`
        """
        call = Call(
            "GET",
            "/v1/tenants/{slug}/usage",
            parts={"slug": slug},
            query={"from": from_, "until": until},
            may_repeat=True,
        )
        answer: models.UsageView = self._transport.json(call)
        return answer

    def list_uploads(self) -> models.ListingUploadView:
        """List the files that are on their way, the latest first.

        `GET /v1/uploads`
        """
        call = Call("GET", "/v1/uploads", may_repeat=True)
        answer: models.ListingUploadView = self._transport.json(call)
        return answer

    def begin_upload(self, body: models.UploadDraft) -> models.UploadView:
        """Begin to push a file in pieces, or go on.

        The same file of the same tenant is answered 200 with how far it has got. Its bytes count against the
        tenant's storage from now on.

        `POST /v1/uploads`
        """
        call = Call("POST", "/v1/uploads", body=body)
        answer: models.UploadView = self._transport.json(call)
        return answer

    def give_up_upload(self, upload: models.UploadId) -> None:
        """Give up a file that is on its way, with what has come of it.

        `DELETE /v1/uploads/{upload}`
        """
        call = Call("DELETE", "/v1/uploads/{upload}", parts={"upload": upload})
        self._transport.nothing(call)

    def get_upload(self, upload: models.UploadId) -> models.UploadView:
        """Read how far a file has got.

        `GET /v1/uploads/{upload}`
        """
        call = Call("GET", "/v1/uploads/{upload}", parts={"upload": upload}, may_repeat=True)
        answer: models.UploadView = self._transport.json(call)
        return answer

    def send_piece(
        self,
        upload: models.UploadId,
        upload_offset: int,
        content: Content,
        content_type: str,
    ) -> models.UploadView:
        """Send the next piece of a file.

        A piece has 1 to 64 MiB, the last one also less; one that breaks off is not kept. One that goes on
        elsewhere than the upload stands is a 409 `wrong_offset`.

        `PATCH /v1/uploads/{upload}`
        """
        call = Call(
            "PATCH",
            "/v1/uploads/{upload}",
            parts={"upload": upload},
            headers={"Upload-Offset": upload_offset},
            content=content,
            content_type=content_type,
        )
        answer: models.UploadView = self._transport.json(call)
        return answer

    def finish_upload(
        self,
        upload: models.UploadId,
        *,
        prefer: str | None = None,
    ) -> models.DatasetVersionView:
        """Make a version of a file that has come whole.

        Asked again, it answers 200 with the version. With `Prefer: wait=N` (seconds, at most 30) the answer
        waits for the profile.

        `POST /v1/uploads/{upload}/version`
        """
        call = Call(
            "POST",
            "/v1/uploads/{upload}/version",
            parts={"upload": upload},
            headers={"Prefer": prefer},
        )
        answer: models.DatasetVersionView = self._transport.json(call)
        return answer

    def get_usage(self, *, from_: str | None = None, until: str | None = None) -> models.UsageView:
        """What the tenant has used, and its budget.

        `GET /v1/usage`
        """
        call = Call("GET", "/v1/usage", query={"from": from_, "until": until}, may_repeat=True)
        answer: models.UsageView = self._transport.json(call)
        return answer

    def list_users(self) -> models.ListingUserView:
        """People of the tenant, and its service accounts.

        `GET /v1/users`
        """
        call = Call("GET", "/v1/users", may_repeat=True)
        answer: models.ListingUserView = self._transport.json(call)
        return answer

    def remove_user(self, id: models.UserId) -> None:
        """Take a person or a service account out of the tenant: their keys and sessions in it end at once.

        `DELETE /v1/users/{id}`
        """
        call = Call("DELETE", "/v1/users/{id}", parts={"id": id})
        self._transport.nothing(call)

    def change_user(self, id: models.UserId, body: models.UserChange) -> None:
        """Give somebody of the tenant another role: it counts from the next request on.

        `PATCH /v1/users/{id}`
        """
        call = Call("PATCH", "/v1/users/{id}", parts={"id": id}, body=body)
        self._transport.nothing(call)

    def list_workers(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.ListingWorkerView:
        """Workers that are there, and those that left within the last day, by pool and name, with what is in use
        on each.

        `GET /v1/workers`
        """
        call = Call("GET", "/v1/workers", query={"cursor": cursor, "limit": limit}, may_repeat=True)
        answer: models.ListingWorkerView = self._transport.json(call)
        return answer

    def get_worker_load(self) -> models.ListingLoadView:
        """How full the workers of every pool are.

        `GET /v1/workers/load`
        """
        call = Call("GET", "/v1/workers/load", may_repeat=True)
        answer: models.ListingLoadView = self._transport.json(call)
        return answer

    def change_worker(self, id: models.WorkerId, body: models.WorkerChange) -> None:
        """Cordon, drain or remove a worker, or let it work again.

        `PATCH /v1/workers/{id}`
        """
        call = Call("PATCH", "/v1/workers/{id}", parts={"id": id}, body=body)
        self._transport.nothing(call)
