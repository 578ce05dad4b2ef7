import java.io.PrintStream;
import java.net.URI;

import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.StreamsSchedulerFactory;
import com.amazonaws.services.dynamodbv2.streamsadapter.adapter.DynamoDBStreamsClientRecord;
import com.amazonaws.services.dynamodbv2.streamsadapter.model.DynamoDBStreamsProcessRecordsInput;
import com.amazonaws.services.dynamodbv2.streamsadapter.polling.DynamoDBStreamsPollingConfig;
import com.amazonaws.services.dynamodbv2.streamsadapter.processor.DynamoDBStreamsShardRecordProcessor;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.model.Record;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;

/**
 * Reads the stream of a table from its oldest record by Amazon's adapter, until standard input ends. It
 * prints what it sees, fields parted by tabs; the key of an item is its attribute "id", a text:
 *
 *   begin   SHARD
 *   record  SHARD  SEQUENCE  EVENT-ID  EVENT-NAME  KEY  SECONDS  USER-IDENTITY
 *   end     SHARD
 *   lost    SHARD
 *   error   SHARD  TEXT
 *
 * Arguments: endpoint of the stream, endpoint of DynamoDB (for leases), ARN of the stream, name of the application.
 */
public class Reader {
    static final PrintStream out = System.out;

    static synchronized void print(Object... fields) {
        StringBuilder line = new StringBuilder();
        for (Object field : fields) {
            line.append(line.length() > 0 ? "\t" : "").append(field);
        }
        out.println(line);
        out.flush();
    }

    static class Shard implements DynamoDBStreamsShardRecordProcessor {
        String id;

        @Override
        public void initialize(InitializationInput input) {
            id = input.shardId();
            print("begin", id);
        }

        @Override
        public void processRecords(DynamoDBStreamsProcessRecordsInput input) {
            try {
                for (DynamoDBStreamsClientRecord client : input.records()) {
                    Record r = client.getRecord();
                    var change = r.dynamodb();
                    print("record", id, change.sequenceNumber(), r.eventID(), r.eventNameAsString(), change.keys().get("id").s(),
                            change.approximateCreationDateTime().getEpochSecond(),
                            r.userIdentity() == null ? "-" : r.userIdentity().type() + " " + r.userIdentity().principalId());
                }
                if (!input.records().isEmpty()) {
                    input.checkpointer().checkpoint();
                }
            } catch (ShutdownException e) {
                // The lease is lost, as leaseLost says.
            } catch (Exception e) {
                print("error", id, e);
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            print("lost", id);
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            print("end", id);
            try {
                input.checkpointer().checkpoint();
            } catch (ShutdownException e) {
                // The lease is lost, as leaseLost says.
            } catch (Exception e) {
                print("error", id, e);
            }
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            // What was read is checkpointed.
        }
    }

    public static void main(String[] args) throws Exception {
        URI leaseEndpoint = URI.create(args[1]);
        var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "testtest"));
        Region region = Region.US_EAST_1;
        var streams = new AmazonDynamoDBStreamsAdapterClient(DynamoDbStreamsClient.builder()
                .credentialsProvider(credentials).region(region).endpointOverride(URI.create(args[0])).build(), region);
        DynamoDbAsyncClient leases = DynamoDbAsyncClient.builder()
                .credentialsProvider(credentials).region(region).endpointOverride(leaseEndpoint).build();
        // Nothing is sent to it: metrics are off.
        CloudWatchAsyncClient metrics = CloudWatchAsyncClient.builder()
                .credentialsProvider(credentials).region(region).endpointOverride(leaseEndpoint).build();

        var oldest = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var tracker = StreamsSchedulerFactory.createSingleStreamTracker(args[2], oldest);
        var configs = new ConfigsBuilder(tracker, args[3], streams, leases, metrics, "worker", Shard::new);
        var retrieval = configs.retrievalConfig();
        retrieval.retrievalSpecificConfig(new DynamoDBStreamsPollingConfig(streams).idleTimeBetweenReadsInMillis(250));
        var scheduler = StreamsSchedulerFactory.createScheduler(
                configs.checkpointConfig(),
                configs.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(100),
                configs.leaseManagementConfig().failoverTimeMillis(3000).shardSyncIntervalMillis(2000)
                        .leasesRecoveryAuditorExecutionFrequencyMillis(2000).initialPositionInStream(oldest),
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                retrieval,
                streams);
        Thread reading = new Thread(scheduler);
        reading.setDaemon(true);
        reading.start();
        while (System.in.read() >= 0) {
            // Until it ends.
        }
        // What was read is told, and nobody goes on here.
        System.exit(0);
    }
}
