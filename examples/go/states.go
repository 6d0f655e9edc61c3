package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log"
	"time"

	"example.com/argos-relay-consumers/contract"
	"github.com/twmb/franz-go/pkg/kgo"
)

// States is what is true now: the compacted state topic, which every member reads whole, and goes on reading.
type States struct {
	client   *kgo.Client
	position map[int32]int64
	rows     map[string]row
	approved map[string]map[string]approval
}

// row is a snapshot, and the partition that it came from.
type row struct {
	partition int32
	snapshot  contract.KycSubmissionStateV1Json
}

// approval is an approved submission of a user, and since when it is.
type approval struct {
	at         time.Time
	submission string
}

// newStates reads to the end that it finds.
func newStates(ctx context.Context, topic string) *States {
	states := &States{position: map[int32]int64{}, rows: map[string]row{}, approved: map[string]map[string]approval{}}
	ends := endsOf(ctx, topic)
	start := map[int32]kgo.Offset{}
	for partition := range ends {
		start[partition] = kgo.NewOffset().AtStart()
	}
	states.client = newClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	for partition, end := range ends {
		for states.position[partition] < end {
			states.follow(ctx)
		}
	}
	return states
}

// follow takes in what has come; with a context it waits for something.
func (states *States) follow(ctx context.Context) {
	fetches := states.client.PollRecords(ctx, 500)
	fetches.EachError(func(_ string, _ int32, err error) { log.Fatal(err) })
	fetches.EachRecord(func(record *kgo.Record) {
		states.position[record.Partition] = record.Offset + 1
		if !record.Attrs.IsControl() {
			states.apply(record)
		}
	})
}

func (states *States) apply(record *kgo.Record) {
	key := string(record.Key)
	if old, found := states.rows[key]; found {
		delete(states.approved[user(old)], key)
		delete(states.rows, key)
	}
	if record.Value == nil { // deleted, or erased by an operator, of which no event tells
		return
	}
	now := row{partition: record.Partition}
	check(json.Unmarshal(record.Value, &now.snapshot))
	states.rows[key] = now
	if now.snapshot.Kyc.Status == "approved" && now.snapshot.Submission.UserID != nil {
		if states.approved[user(now)] == nil {
			states.approved[user(now)] = map[string]approval{}
		}
		at := cmp.Or(now.snapshot.Kyc.DecidedAt, now.snapshot.VendorUpdatedAt, now.snapshot.Submission.CreatedAt, &time.Time{})
		states.approved[user(now)][key] = approval{*at, now.snapshot.Submission.ID}
	}
}

func user(row row) string {
	if row.snapshot.Submission.UserID == nil {
		return ""
	}
	return row.snapshot.Submission.Project + "/" + *row.snapshot.Submission.UserID
}

// latestApproved is the view: the latest approved submission of each user.
func (states *States) latestApproved() map[string]string {
	found := map[string]string{}
	for user, all := range states.approved {
		var latest approval
		for _, one := range all {
			if order := one.at.Compare(latest.at); order > 0 || order == 0 && one.submission > latest.submission {
				latest = one
			}
		}
		if len(all) > 0 {
			found[user] = latest.submission
		}
	}
	return found
}

// sequences are those of each submission of one partition.
func (states *States) sequences(partition int32) map[string]int64 {
	found := map[string]int64{}
	for key, row := range states.rows {
		if row.partition == partition {
			found[key] = int64(row.snapshot.Sequence)
		}
	}
	return found
}
