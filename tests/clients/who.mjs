// Who the profile in AWS_PROFILE is; a code of an MFA device comes on standard input.
import { readFileSync } from "node:fs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromNodeProviderChain } from "@aws-sdk/credential-providers";

const mfaCodeProvider = async () => readFileSync(0, "utf8").trim();
const client = new STSClient({ credentials: fromNodeProviderChain({ mfaCodeProvider }) });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
