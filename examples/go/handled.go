package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"example.com/argos-relay-consumers/contract"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Handled is what was handled of one partition: its offset, each submission's last sequence, the ids, the counts.
type Handled struct {
	Offset int64
	Last   map[string]int64
	IDs    map[string]bool
	Count  map[string]int
}

func file(partition int32) string { return filepath.Join(store, fmt.Sprintf("%d.json", partition)) }

func readHandled(partition int32) *Handled {
	handled := &Handled{Offset: -1, Last: map[string]int64{}, IDs: map[string]bool{}, Count: map[string]int{}}
	text, err := os.ReadFile(file(partition))
	if errors.Is(err, fs.ErrNotExist) {
		return handled
	}
	check(err)
	check(json.Unmarshal(text, handled))
	return handled
}

// openHandled is as it was saved; else from the noted end on, or with HISTORY from the beginning, when nothing was known.
func openHandled(partition int32, states *States, end int64) *Handled {
	handled := readHandled(partition)
	if handled.Offset < 0 {
		handled.Offset = 0
		if !history {
			handled.Offset, handled.Last = end, states.sequences(partition) // the same number on both topics
		}
		handled.save(partition)
	}
	return handled
}

// save is all or nothing: the new file replaces the old one. In earnest, this is your database's transaction.
func (handled *Handled) save(partition int32) {
	text, err := json.Marshal(handled)
	check(err)
	next := filepath.Join(store, fmt.Sprintf("%d.%d", partition, os.Getpid()))
	check(os.WriteFile(next, text, 0o644))
	check(os.Rename(next, file(partition)))
}

func (handled *Handled) take(record *kgo.Record) {
	header := map[string]string{}
	for _, one := range record.Headers {
		header[one.Key] = string(one.Value)
	}
	key, id := string(record.Key), header["ce_id"]
	sequence, err := strconv.ParseInt(header["ce_sequence"], 10, 64)
	check(err)
	if handled.IDs[id] {
		handled.Count["duplicates"]++
		return
	}
	handled.IDs[id] = true
	last, isKnown := handled.Last[key]
	if !isKnown { // new to us: its first event, unless it was deleted before we began and has come back
		var data struct {
			Previous *contract.Previous `json:"previous"`
		}
		check(json.Unmarshal(record.Value, &data))
		if data.Previous != nil && data.Previous.KycStatus == "deleted" {
			last = sequence - 1
		}
	}
	if sequence <= last { // the state that we began with has it already
		handled.Count["older"]++
		return
	}
	if sequence > last+1 {
		handled.Count["gaps"]++
	}
	handled.Last[key] = sequence
	handled.Count["events"]++
	if header["ce_type"] == "kyc.submission.approved.v1" { // here an application would act; it ignores others
		var event contract.KycSubmissionApprovedV1Json
		check(json.Unmarshal(record.Value, &event))
		if event.Submission.Project+"/"+event.Submission.ID == key {
			handled.Count["approvals"]++
		}
	}
}
