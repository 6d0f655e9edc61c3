// The events as the CloudEvents SDK reads them, one JSON document a line, to the end of the topic.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	kafkabinding "github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx := context.Background()
	topic := os.Getenv("TOPIC_PREFIX") + "kyc.submission.events.v1"
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cmp.Or(os.Getenv("KAFKA_BOOTSTRAP"), "127.0.0.1:9092")),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
	)
	check(err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	check(err)
	for position := map[int32]int64{}; !atEnd(ends, position); {
		fetches := client.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) { log.Fatal(err) })
		fetches.EachRecord(func(record *kgo.Record) {
			position[record.Partition] = record.Offset + 1
			if !record.Attrs.IsControl() {
				show(ctx, record)
			}
		})
	}
}

func atEnd(ends kadm.ListedOffsets, position map[int32]int64) bool {
	behind := false
	ends.Each(func(end kadm.ListedOffset) { behind = behind || position[end.Partition] < end.Offset })
	return !behind
}

// show hands the SDK what a client got: it knows the binding, whichever client read the record.
func show(ctx context.Context, record *kgo.Record) {
	headers := map[string][]byte{}
	contentType := ""
	for _, one := range record.Headers {
		headers[one.Key] = one.Value
		if one.Key == "content-type" {
			contentType = string(one.Value)
		}
	}
	event, err := binding.ToEvent(ctx, kafkabinding.NewMessage(record.Value, contentType, headers))
	check(err)
	document := map[string]any{
		"specversion": event.SpecVersion(), "id": event.ID(), "source": event.Source(), "type": event.Type(), "subject": event.Subject(),
		"time": types.FormatTime(event.Time()), "datacontenttype": event.DataContentType(), "dataschema": event.DataSchema(),
		"data": json.RawMessage(event.Data()),
	}
	for name, value := range event.Extensions() {
		document[name], err = types.Format(value)
		check(err)
	}
	line, err := json.Marshal(document)
	check(err)
	fmt.Println(string(line))
}
