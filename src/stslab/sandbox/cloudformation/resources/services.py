"""The services of AWS that have resource types: the ``Lambda`` of ``AWS::Lambda::Function``.

"AWS resource and property types reference". Without a transform, ``AWS::Serverless`` is none.
"""

_NAMES = """
AccessAnalyzer AccountAccess ACMPCA AgentRegistry AIOps AmazonMQ Amplify AmplifyUIBuilder
ApiGateway ApiGatewayV2 AppConfig AppFabric AppFlow AppIntegrations ApplicationAutoScaling
ApplicationInsights ApplicationSignals AppMesh AppRunner AppStream AppSync AppTest APS
ARCRegionSwitch ARCZonalShift Athena AuditManager AutoScaling AutoScalingPlans
AWSExternalAnthropic B2BI Backup BackupGateway Batch BCM BCMDataExports BcmPricingCalculator
Bedrock BedrockAgentCore BedrockMantle Billing BillingConductor Braket Budgets Cases Cassandra CDK
CE CertificateManager Chatbot Chime CleanRooms CleanRoomsML Cloud9 CloudFormation CloudFront
CloudHSM CloudTrail CloudWatch CodeArtifact CodeBuild CodeCommit CodeConnections CodeDeploy
CodeGuruProfiler CodeGuruReviewer CodePipeline CodeStar CodeStarConnections CodeStarNotifications
Cognito Comprehend ComputeOptimizer Config Connect ConnectCampaigns ConnectCampaignsV2
ControlTower CUR CustomerProfiles DataBrew DataExchange DataPipeline DataSync DataZone DAX
Deadline Detective DeviceFarm DevOpsAgent DevOpsGuru DirectConnect DirectoryService DLM DMS DocDB
DocDBElastic DRS DSQL DynamoDB EC2 ECR ECS EFS EKS ElastiCache ElasticBeanstalk
ElasticLoadBalancing ElasticLoadBalancingV2 Elasticsearch ElementalInference EMR EMRContainers
EMRServerless EntityResolution Events EventSchemas EventsV2 Evidently EVS FinSpace FIS FMS
Forecast FraudDetector FSx GameLift GameLiftStreams GammaDilithium GlobalAccelerator Glue Grafana
Greengrass GreengrassV2 GroundStation GuardDuty HealthAgent HealthImaging HealthLake IAM
IdentityStore ImageBuilder Inspector InspectorV2 Interconnect InternetMonitor Invoicing IoT
IoTAnalytics IoTCoreDeviceAdvisor IoTEvents IoTFleetWise IoTManagedIntegrations IoTSecureTunneling
IoTSiteWise IoTThingsGraph IoTTwinMaker IoTWireless IVS IVSChat KafkaConnect Kendra KendraRanking
Kinesis KinesisAnalytics KinesisAnalyticsV2 KinesisFirehose KinesisVideo KMS LakeFormation Lambda
LaunchWizard Lex LicenseManager LicenseManagerLinuxSubscriptions LicenseManagerUserSubscriptions
Lightsail Location Logs LookoutEquipment LookoutVision M2 Macie ManagedBlockchain MediaConnect
MediaConvert MediaLive MediaPackage MediaPackageV2 MediaStore MediaTailor MemoryDB MGN MPA MSK
MWAA MWAAServerless Neptune NeptuneGraph NetworkFirewall NetworkFlowMonitor NetworkManager
NetworkMonitor NetworkSecurityManager NimbleStudio Notifications NotificationsContacts NovaAct Oam
ObservabilityAdmin ODB Omics OpenSearch OpenSearchServerless OpenSearchService OpsWorks
Organizations OSIS Outposts Panorama PaymentCryptography PCAConnectorAD PCAConnectorSCEP PCS
Personalize PI Pinpoint PinpointEmail Pipes Polly PricingPlanManager Proton QBusiness QLDB
QuickSight RAM Rbin RDS Redshift RedshiftServerless RefactorSpaces Rekognition ResilienceHub
ResilienceHubV2 ResourceExplorer2 ResourceGroups RoboMaker RolesAnywhere Route53
Route53GlobalResolver Route53Profiles Route53RecoveryControl Route53RecoveryReadiness
Route53Resolver RTBFabric RUM S3 S3Express S3Files S3ObjectLambda S3Outposts S3Tables S3Vectors
SageMaker Scheduler SCN SDB SecretsManager SecurityAgent SecurityHub SecurityLake ServerlessRepo
ServiceCatalog ServiceCatalogAppRegistry ServiceDiscovery SES Shield Signer SimSpaceWeaver
SMSVOICE SNS SQS SSM SSMContacts SSMGuiConnect SSMIncidents SSMQuickSetup SSO StepFunctions
StorageGateway SupportApp SupportAuthZ Synthetics SystemsManagerSAP Textract Timestream Transcribe
Transfer Translate UXC VerifiedPermissions VoiceID VpcLattice WAF WAFRegional WAFv2
WellArchitected Wickr Wisdom WorkSpaces WorkspacesInstances WorkSpacesThinClient WorkSpacesWeb
XRay
"""
SERVICES = frozenset(_NAMES.split())
