import java.io.PrintStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.exceptions.ShutdownException;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

/**
 * Reads a stream from its oldest record by Amazon's Kinesis Client Library, until standard input ends. It
 * prints what it sees, fields parted by tabs:
 *
 *   begin   SHARD
 *   record  SHARD  SEQUENCE  SUBSEQUENCE  AGGREGATED  PARTITION-KEY  SHA-256
 *   end     SHARD
 *   lost    SHARD
 *   error   SHARD  TEXT
 *
 * Arguments: endpoint of Kinesis, endpoint of DynamoDB (for leases), stream, name of the application.
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

    static class Shard implements ShardRecordProcessor {
        String id;

        @Override
        public void initialize(InitializationInput input) {
            id = input.shardId();
            print("begin", id);
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            try {
                for (KinesisClientRecord r : input.records()) {
                    ByteBuffer data = r.data().duplicate();
                    MessageDigest digest = MessageDigest.getInstance("SHA-256");
                    digest.update(data);
                    print("record", id, r.sequenceNumber(), r.subSequenceNumber(), r.aggregated(), r.partitionKey(),
                            HexFormat.of().formatHex(digest.digest()));
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
        URI kinesisEndpoint = URI.create(args[0]);
        URI leaseEndpoint = URI.create(args[1]);
        String stream = args[2];
        var credentials = StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "testtest"));
        KinesisAsyncClient kinesis = KinesisAsyncClient.builder()
                .credentialsProvider(credentials).region(Region.US_EAST_1).endpointOverride(kinesisEndpoint)
                .httpClientBuilder(NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1).maxConcurrency(50))
                .build();
        DynamoDbAsyncClient leases = DynamoDbAsyncClient.builder()
                .credentialsProvider(credentials).region(Region.US_EAST_1).endpointOverride(leaseEndpoint).build();
        // Nothing is sent to it: metrics are off.
        CloudWatchAsyncClient metrics = CloudWatchAsyncClient.builder()
                .credentialsProvider(credentials).region(Region.US_EAST_1).endpointOverride(leaseEndpoint).build();

        var oldest = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var configs = new ConfigsBuilder(stream, args[3], kinesis, leases, metrics, "worker", Shard::new);
        var retrieval = configs.retrievalConfig()
                .retrievalSpecificConfig(new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(250))
                .streamTracker(new SingleStreamTracker(stream, oldest));
        var scheduler = new Scheduler(
                configs.checkpointConfig(),
                configs.coordinatorConfig().parentShardPollIntervalMillis(500).shardConsumerDispatchPollIntervalMillis(100),
                configs.leaseManagementConfig().failoverTimeMillis(3000).shardSyncIntervalMillis(2000)
                        .leasesRecoveryAuditorExecutionFrequencyMillis(2000).initialPositionInStream(oldest),
                configs.lifecycleConfig(),
                configs.metricsConfig().metricsFactory(new NullMetricsFactory()),
                configs.processorConfig(),
                retrieval);
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
