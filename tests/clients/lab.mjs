// The whole lab with the AWS SDK for JavaScript; what it needs comes as JSON in argv.
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { CloudFormationClient, CreateStackCommand, DeleteStackCommand, DescribeStacksCommand,
  waitUntilStackCreateComplete, waitUntilStackDeleteComplete } from "@aws-sdk/client-cloudformation";
import { CreateAccessKeyCommand, CreateUserCommand, DeleteAccessKeyCommand, DeleteUserCommand,
  DeleteUserPolicyCommand, IAMClient, ListUsersCommand, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, DeleteBucketCommand,
  DeleteObjectsCommand, GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, PutObjectCommand,
  S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand,
  STSClient } from "@aws-sdk/client-sts";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { endpoint, user, stack, bucket, template, policy, web } = given;
const of = (Client, credentials) =>
  new Client({ endpoint, region: "us-east-1", maxAttempts: 1, credentials });
const keys = ({ AccessKeyId, SecretAccessKey, SessionToken }) =>
  ({ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken });
const refused = (name, call) => assert.rejects(call, (error) => {
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  return true;
});

const iam = of(IAMClient, given.admin);
const stacks = of(CloudFormationClient, given.admin);
await iam.send(new CreateUserCommand({ UserName: user }));
const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: user }));
const sts = of(STSClient, keys(AccessKey));
assert.match((await sts.send(new GetCallerIdentityCommand({}))).Arn, new RegExp(`:user/${user}$`));
await refused("AccessDenied", of(S3Client, keys(AccessKey)).send(new ListBucketsCommand({})));

await stacks.send(new CreateStackCommand({
  StackName: stack, TemplateBody: template, Capabilities: ["CAPABILITY_IAM"],
  Parameters: [
    { ParameterKey: "UserName", ParameterValue: user },
    { ParameterKey: "BucketName", ParameterValue: bucket },
  ],
}));
const waiting = { client: stacks, maxWaitTime: 60, minDelay: 1, maxDelay: 2 };
await waitUntilStackCreateComplete(waiting, { StackName: stack });
const described = await stacks.send(new DescribeStacksCommand({ StackName: stack }));
const role = described.Stacks[0].Outputs.find((one) => one.OutputKey === "RoleArn").OutputValue;
const assume = new AssumeRoleCommand({ RoleArn: role, RoleSessionName: "me" });
await refused("AccessDenied", sts.send(assume));
await iam.send(new PutUserPolicyCommand({
  UserName: user, PolicyName: "p", PolicyDocument: policy.replace("${{ role_arn }}", role),
}));
const session = keys((await sts.send(assume)).Credentials);
const s3 = of(S3Client, session);
assert.match((await of(STSClient, session).send(new GetCallerIdentityCommand({}))).Arn, /assumed-role\/.*\/me$/);

const at = (Key, more) => ({ Bucket: bucket, Key, ...more });
await s3.send(new PutObjectCommand(at("a key/é+1.txt", { Body: "hello" })));
const got = await s3.send(new GetObjectCommand(at("a key/é+1.txt")));
assert.equal(await got.Body.transformToString(), "hello");
const link = await getSignedUrl(s3, new GetObjectCommand(at("a key/é+1.txt")), { expiresIn: 60 });
const fetched = await fetch(link);
assert.equal(fetched.status, 200);
assert.equal(await fetched.text(), "hello");
assert.equal((await fetch(link.replace("1.txt", "2.txt"))).status, 403);
const put = await getSignedUrl(s3, new PutObjectCommand(at("put")), { expiresIn: 60 });
assert.equal((await fetch(put, { method: "PUT", body: "by link" })).status, 200);
const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at("large")));
const Parts = [];
for (const PartNumber of [1, 2]) {
  const Body = Buffer.alloc(PartNumber === 1 ? 5 * 1024 * 1024 : 1000, PartNumber);
  const { ETag } = await s3.send(new UploadPartCommand(at("large", { UploadId, PartNumber, Body })));
  Parts.push({ ETag, PartNumber });
}
await s3.send(new CompleteMultipartUploadCommand(at("large", { UploadId, MultipartUpload: { Parts } })));
const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
assert.deepEqual(Contents.map((one) => one.Key), ["a key/é+1.txt", "large", "put"]);
await refused("AccessDenied", s3.send(new ListBucketsCommand({})));
await refused("AccessDenied", s3.send(new DeleteBucketCommand({ Bucket: bucket })));
await refused("AccessDenied", of(IAMClient, session).send(new ListUsersCommand({})));
await refused("AccessDenied", of(S3Client, keys(AccessKey)).send(new ListObjectsV2Command({ Bucket: bucket })));

const anyone = of(STSClient, { accessKeyId: "", secretAccessKey: "" });
const withToken = (WebIdentityToken) => anyone.send(new AssumeRoleWithWebIdentityCommand({
  RoleArn: web.role, RoleSessionName: "job", WebIdentityToken,
}));
const job = of(STSClient, keys((await withToken(web.token)).Credentials));
assert.match((await job.send(new GetCallerIdentityCommand({}))).Arn, /assumed-role\/.*\/job$/);
await refused("AccessDenied", withToken(web.another));

await of(S3Client, given.admin).send(new DeleteObjectsCommand({
  Bucket: bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) },
}));
await iam.send(new DeleteUserPolicyCommand({ UserName: user, PolicyName: "p" }));
await stacks.send(new DeleteStackCommand({ StackName: stack }));
await waitUntilStackDeleteComplete(waiting, { StackName: stack });
await iam.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: AccessKey.AccessKeyId }));
await iam.send(new DeleteUserCommand({ UserName: user }));
await refused("InvalidClientTokenId", sts.send(new GetCallerIdentityCommand({})));
console.log("done");
