{{- define "argos-relay.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 40 characters: what is made of it stays a valid label, suffixes and the StatefulSet's own included. */ -}}
{{- define "argos-relay.fullname" -}}
{{- if .Values.fullnameOverride -}}
  {{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "argos-relay.name" .) .Release.Name -}}
  {{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
  {{- printf "%s-%s" .Release.Name (include "argos-relay.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "argos-relay.image" -}}
{{- if .Values.image.digest -}}
  {{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
  {{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* The workloads: how each is called, and its place in the values. `mode: all` has the one StatefulSet only. */ -}}
{{- define "argos-relay.statefulName" -}}
{{- include "argos-relay.fullname" . }}{{ if eq .Values.mode "split" }}-reconciler{{ end -}}
{{- end -}}
{{- define "argos-relay.statefulComponent" -}}
{{- ternary "reconciler" "all" (eq .Values.mode "split") -}}
{{- end -}}
{{- define "argos-relay.doorComponent" -}}
{{- ternary "ingest" "all" (eq .Values.mode "split") -}}
{{- end -}}

{{- /* What never changes over upgrades, so that it can select.   dict "root" $ "component" NAME ("" for all) */ -}}
{{- define "argos-relay.selector" -}}
app.kubernetes.io/name: {{ include "argos-relay.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "argos-relay.labels" -}}
{{ include "argos-relay.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "argos-relay.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
  {{- .Values.serviceAccount.name | default (include "argos-relay.fullname" .) -}}
{{- else -}}
  {{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- /* The port of `host:port`, the last one if several are joined with commas. */ -}}
{{- define "argos-relay.port" -}}
{{- regexFind "[0-9]+$" (trim .) -}}
{{- end -}}
{{- define "argos-relay.webhookPort" -}}
{{- include "argos-relay.port" (dig "ingest" "listen" "0.0.0.0:8080" .Values.config) -}}
{{- end -}}
{{- define "argos-relay.adminPort" -}}
{{- $listen := dig "admin" "listen" "127.0.0.1:9464" .Values.config -}}
{{- if or (hasPrefix "127." $listen) (hasPrefix "[::1]" $listen) -}}
  {{- fail (printf "config.admin.listen: the kubelet's probes do not reach %s; give 0.0.0.0:9464, and let networkPolicy.adminFrom say who may come in" $listen) -}}
{{- end -}}
{{- include "argos-relay.port" $listen -}}
{{- end -}}

{{- /* `1m30s` in whole seconds, rounded up. */ -}}
{{- define "argos-relay.seconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $text := nospace . -}}
{{- if not (regexMatch "^([0-9]+(ms|[dhms]))+$" $text) -}}
  {{- fail (printf "%q is not a duration such as 30s, 5m or 1h30m" .) -}}
{{- end -}}
{{- $millis := 0 -}}
{{- range regexFindAll "[0-9]+(ms|[dhms])" $text -1 -}}
  {{- $number := regexFind "^[0-9]+" . -}}
  {{- $millis = add $millis (mul (atoi $number) (get $units (trimPrefix $number .))) -}}
{{- end -}}
{{- div (add $millis 999) 1000 -}}
{{- end -}}

{{- /* The service stops within drain_timeout; on top come the wait before SIGTERM and some time for its own exit. */ -}}
{{- define "argos-relay.graceSeconds" -}}
{{- $drain := include "argos-relay.seconds" (.root.Values.config.drain_timeout | default "25s") | int -}}
{{- $wait := ternary (int .root.Values.preStopSeconds) 0 (eq (include "argos-relay.waitsBeforeStop" .) "yes") -}}
{{- add $wait $drain 5 -}}
{{- end -}}

{{- /* Only pods that take webhooks wait before they stop: until then the endpoints still name them. */ -}}
{{- define "argos-relay.waitsBeforeStop" -}}
{{- if and (ne .component "reconciler") (gt (int .root.Values.preStopSeconds) 0) (semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version) -}}yes{{- end -}}
{{- end -}}

{{- /* The service's configuration file. Names every secret file that `secrets` does not provide. */ -}}
{{- define "argos-relay.configFile" -}}
# Rendered by Helm from `config`; change the values, not this.
{{- $missing := list -}}
{{- range (include "argos-relay.secretPaths" .Values.config | trim | splitList "\n" | uniq | sortAlpha) -}}
  {{- if and . (not (hasKey $.Values.secrets .)) -}}{{- $missing = append $missing . -}}{{- end -}}
{{- end -}}
{{- if $missing -}}
  {{- fail (printf "config names files that `secrets` does not provide: %s" (join ", " $missing)) -}}
{{- end -}}
{{- include "argos-relay.toml" (dict "table" .Values.config "path" "") }}
{{ end -}}

{{- /* The names, one a line, of all files below secrets/ in any text of the configuration. */ -}}
{{- define "argos-relay.secretPaths" -}}
{{- if kindIs "string" . -}}
  {{- if regexMatch "^(/etc/argos-relay/)?secrets/" . -}}
{{ regexReplaceAll "^(/etc/argos-relay/)?secrets/" . "" }}
{{ end -}}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}
  {{- range . -}}{{- include "argos-relay.secretPaths" . -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* How many reconcilers there can be at most: one without a partition would wait for one for ever. */ -}}
{{- define "argos-relay.checkReplicas" -}}
{{- $partitions := dig "kafka" "partitions" 12 .Values.config | int -}}
{{- $most := int (ternary .Values.reconciler.keda.maxReplicas .Values.reconciler.replicas .Values.reconciler.keda.enabled) -}}
{{- if gt $most $partitions -}}
  {{- fail (printf "%d reconcilers, but config.kafka.partitions is %d: one without a partition never becomes ready" $most $partitions) -}}
{{- end -}}
{{- end -}}
