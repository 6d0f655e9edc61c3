// A consumer of argos-relay's topics in Go, with franz-go.
//
// Owns the loop over what happened: the events, which the members of a group share (handled.go). What is true now is in
// states.go. Must not know the service: only the contract (docs/contract.md).
//
// Path: note the events' ends, read the state topic to its end, join the group. Each batch of events is saved together
// with its offset, so that after a crash nothing is handled twice or left out. Settings: see examples/README.md.
package main

//go:generate go tool go-jsonschema -p contract --only-models --capitalization ID -o contract/contract.go ../../contracts/schemas/kyc.submission.state.v1.json ../../contracts/schemas/kyc.submission.approved.v1.json

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	store    = env("STORE", "store")
	history  = env("HISTORY", "") != ""
	untilEnd = env("UNTIL_END", "") != ""
)

func env(name, otherwise string) string { return cmp.Or(os.Getenv(name), otherwise) }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// newClient keeps the markers of transactions, so that the end of a partition is seen to be reached.
func newClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options,
		kgo.SeedBrokers(env("KAFKA_BOOTSTRAP", "127.0.0.1:9092")),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)...)
	check(err)
	return client
}

// endsOf are the ends as a read_committed consumer sees them: before what an open transaction has written.
func endsOf(ctx context.Context, topic string) map[int32]int64 {
	client := newClient()
	defer client.Close()
	listed, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	check(err)
	check(listed.Error())
	ends := map[int32]int64{}
	listed.Each(func(one kadm.ListedOffset) { ends[one.Partition] = one.Offset })
	return ends
}

// Topic to partition to where its reading begins.
type offsets = map[string]map[int32]kgo.Offset

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	check(os.MkdirAll(store, 0o755))
	prefix := os.Getenv("TOPIC_PREFIX")
	topic := prefix + "kyc.submission.events.v1"
	ends := endsOf(ctx, topic)
	states := newStates(ctx, prefix+"kyc.submission.state.v1")
	owned := map[int32]*Handled{}
	gone := func(context.Context, *kgo.Client, map[string][]int32) { clear(owned) }
	client := newClient(
		kgo.ConsumerGroup(env("GROUP", "example-go")), kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.Balancers(kgo.RangeBalancer()),
		// No partition goes while a batch is handled.
		kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			for _, partition := range assigned[topic] {
				owned[partition] = openHandled(partition, states, ends[partition])
			}
		}),
		kgo.AdjustFetchOffsetsFn(func(_ context.Context, begin offsets) (offsets, error) {
			for partition := range begin[topic] {
				begin[topic][partition] = kgo.NewOffset().At(openHandled(partition, states, ends[partition]).Offset)
			}
			return begin, nil
		}),
	)
	taken := 0
	for ctx.Err() == nil && !(untilEnd && atEnd(ends)) {
		states.follow(nil)
		wait, done := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := client.PollRecords(wait, 100)
		done()
		fetches.EachError(func(_ string, _ int32, err error) {
			if wait.Err() == nil {
				log.Fatal(err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			handled := owned[record.Partition]
			if !record.Attrs.IsControl() {
				handled.take(record)
				taken++
			}
			handled.Offset = record.Offset + 1
		})
		for partition, handled := range owned {
			handled.save(partition)
		}
		client.AllowRebalance()
	}
	client.CloseAllowingRebalance()
	report(states, ends, taken)
}

func atEnd(ends map[int32]int64) bool {
	for partition, end := range ends {
		if readHandled(partition).Offset < end {
			return false
		}
	}
	return true
}
