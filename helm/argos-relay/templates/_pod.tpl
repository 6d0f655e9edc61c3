{{- /*
What the pods of every workload share.   dict "root" $ "component" ingest|reconciler|all "resources" MAP

The root file system is read-only, nothing is written to a disk, and no token of the API server is mounted.
*/ -}}
{{- define "argos-relay.podTemplate" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "argos-relay.selector" . | nindent 4 }}
    argos-relay/serves: "true"
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "argos-relay.configFile" .root | sha256sum }}
    checksum/secret-references: {{ toYaml $values.secrets | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "argos-relay.podCommon" . | nindent 2 }}
  serviceAccountName: {{ include "argos-relay.serviceAccount" .root }}
  terminationGracePeriodSeconds: {{ include "argos-relay.graceSeconds" . }}
  {{- if $values.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range $values.topologySpread.topologyKeys }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "argos-relay.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: argos-relay
      {{- include "argos-relay.containerCommon" . | nindent 6 }}
      args: ["serve", "--config", "/etc/argos-relay/relay.toml", "--role", {{ .component | quote }}]
      ports:
        {{- if ne .component "reconciler" }}
        - name: webhooks
          containerPort: {{ include "argos-relay.webhookPort" .root }}
        {{- end }}
        - name: admin
          containerPort: {{ include "argos-relay.adminPort" .root }}
      startupProbe:
        httpGet: {path: /startupz, port: admin}
        {{- toYaml $values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        {{- toYaml $values.probes.readiness | nindent 8 }}
      {{- if include "argos-relay.waitsBeforeStop" . }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ $values.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "argos-relay.volumes" (dict "root" .root "configMap" (include "argos-relay.fullname" .root)) | nindent 4 }}
{{- end -}}

{{- /* Also what the Job of the topics needs. */ -}}
{{- define "argos-relay.podCommon" -}}
{{- $values := .root.Values -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- end -}}

{{- define "argos-relay.containerCommon" -}}
{{- $values := .root.Values -}}
image: {{ include "argos-relay.image" .root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
env:
  # The transactional id and the static membership rest on it: stable over restarts, different between replicas.
  - name: ARGOS_RELAY__KAFKA__INSTANCE_ID
    valueFrom:
      fieldRef: {fieldPath: metadata.name}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  # The whole folder, never a subPath: what is mounted so follows a changed Secret.
  - name: config
    mountPath: /etc/argos-relay
    readOnly: true
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* dict "root" $ "configMap" NAME */ -}}
{{- define "argos-relay.volumes" -}}
- name: config
  projected:
    # Readable by the pod's group, which is its fsGroup, and by nobody else.
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ .configMap }}
          items: [{key: relay.toml, path: relay.toml}]
      {{- range $name, $secret := .root.Values.secrets }}
      - secret:
          name: {{ $secret.existingSecret }}
          items: [{key: {{ $secret.key | default $name }}, path: {{ printf "secrets/%s" $name }}}]
      {{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
