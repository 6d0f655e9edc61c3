{{- /*
TOML from values. JSON's texts, numbers, booleans and lists of such are also TOML's, but for two things: TOML has no null
(a key without a value is left out), and refuses the raw character DEL in a text.

Helm's own toToml is no help: every number of a values file is a float to it, and `partitions = 12.0` is not what we mean.
*/ -}}

{{- /* The body of one table.   dict "table" MAP "path" "a.b" ("" at the root) */ -}}
{{- define "argos-relay.toml" -}}
{{- $path := .path -}}
{{- $table := .table -}}
{{- $inner := list -}}
{{- range $key, $value := $table -}}
  {{- if kindIs "invalid" $value -}}
  {{- else if or (kindIs "map" $value) (include "argos-relay.toml.isTables" $value) -}}
    {{- $inner = append $inner $key -}}
  {{- else }}
{{ include "argos-relay.toml.key" $key }} = {{ include "argos-relay.toml.value" (dict "value" $value "at" (printf "%s.%s" $path $key)) }}
  {{- end -}}
{{- end -}}
{{- /* Tables go after the plain keys: whatever follows a table's header belongs to that table. */ -}}
{{- range $key := $inner -}}
  {{- $value := get $table $key -}}
  {{- $name := include "argos-relay.toml.key" $key -}}
  {{- $full := ternary $name (printf "%s.%s" $path $name) (empty $path) -}}
  {{- if kindIs "map" $value }}

[{{ $full }}]
    {{- include "argos-relay.toml" (dict "table" $value "path" $full) -}}
  {{- else -}}
    {{- range $value }}

[[{{ $full }}]]
      {{- include "argos-relay.toml" (dict "table" . "path" $full) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- /* Not empty if the value is a list of tables and of nothing else. */ -}}
{{- define "argos-relay.toml.isTables" -}}
{{- if and (kindIs "slice" .) (not (empty .)) -}}
  {{- $all := true -}}
  {{- range . -}}{{- if not (kindIs "map" .) -}}{{- $all = false -}}{{- end -}}{{- end -}}
  {{- if $all -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- define "argos-relay.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ include "argos-relay.toml.text" . }}{{- end -}}
{{- end -}}

{{- define "argos-relay.toml.text" -}}
{{- toJson . | replace "\x7f" "\\u007f" -}}
{{- end -}}

{{- /* A plain value, or a list of them.   dict "value" ANY "at" WHERE */ -}}
{{- define "argos-relay.toml.value" -}}
{{- $at := .at -}}
{{- if kindIs "slice" .value -}}
  {{- $elements := list -}}
  {{- range .value -}}
    {{- $elements = append $elements (include "argos-relay.toml.value" (dict "value" . "at" $at)) -}}
  {{- end -}}
[{{ join ", " $elements }}]
{{- else if or (kindIs "map" .value) (kindIs "invalid" .value) -}}
  {{- fail (printf "config%s: a list holds either tables only, or plain values only" $at) -}}
{{- else -}}
  {{- include "argos-relay.toml.text" .value -}}
{{- end -}}
{{- end -}}
