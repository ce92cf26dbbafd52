import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Publishes 300 lines of some 400 bytes in one packed batch: arguments are broker, topic, codec. */
public class Produce {
  public static void main(String[] args) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("compression.type", args[2]);
    settings.put("batch.size", "1000000");
    settings.put("linger.ms", "1000");
    ByteArraySerializer bytes = new ByteArraySerializer();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
      for (int i = 0; i < 300; i += 1) {
        String line = "line " + i + " " + String.valueOf(i * 7919).repeat(80);
        producer.send(new ProducerRecord<>(args[1], line.getBytes()));
      }
    }
  }
}
