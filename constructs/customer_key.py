"""Encryption with a key of the customer's: what resources get with one, and without, and who may use it.

The key is the customer's, and so is its policy: which services may use it stands there (docs/existing-cdk-app.md). What
roles may do with it stands with the roles, by the key's ARN.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs

USE = ["kms:Decrypt", "kms:GenerateDataKey*"]
"""What whoever publishes, sends, receives, reads and writes needs: topics and queues give each sender a data key of its
own, buckets each object, and a table's is decrypted in the caller's name."""


def allow_use(keys: Iterable[str]) -> list[iam.PolicyStatement]:
    """The use of some keys, by their ARNs, each of which is in one region; no statement if there are none."""
    resources = sorted(set(keys))
    return [iam.PolicyStatement(actions=[*USE], resources=resources)] if resources else []


def encrypt_queue(queue: sqs.Queue, key: kms.IKey | None) -> None:
    """Encrypt a queue with a key, if there is one, in the place of SQS's own.

    On the resource itself: of a queue that knows its key, CDK lets senders encrypt anything with it.
    """
    resource = queue.node.default_child
    if key is not None and isinstance(resource, sqs.CfnQueue):
        resource.sqs_managed_sse_enabled = None
        resource.kms_master_key_id = key.key_arn


def of_table(key: kms.IKey | None) -> dict[str, Any]:
    """The encryption of a table: without a key, that of DynamoDB's own."""
    return {} if key is None else {"encryption": dynamodb.TableEncryption.CUSTOMER_MANAGED, "encryption_key": key}


def of_bucket(key: kms.IKey | None) -> dict[str, Any]:
    """The encryption of a bucket; with a key, S3 asks KMS once a while for all objects, not for each."""
    if key is None:
        return {"encryption": s3.BucketEncryption.S3_MANAGED}
    return {"encryption": s3.BucketEncryption.KMS, "encryption_key": key, "bucket_key_enabled": True}
