{{- define "podium.name" -}}
{{- if contains "podium" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-podium" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "podium.appsNamespace" -}}
{{- .Values.apps.namespace | default (printf "%s-apps" .Release.Namespace) -}}
{{- end }}

{{- define "podium.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end }}

{{/* Labels of every object; (dict "root" $ "part" "gateway"). */}}
{{- define "podium.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: podium
{{ include "podium.selector" . }}
{{- end }}

{{- define "podium.selector" -}}
app.kubernetes.io/name: podium
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* Of each pod that Pod Security calls Restricted. */}}
{{- define "podium.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "podium.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a pod may run; (dict "root" $ "of" .Values.gateway). */}}
{{- define "podium.placing" -}}
enableServiceLinks: false
dnsPolicy: {{ .root.Values.dnsPolicy }}
{{- with .root.Values.hostAliases }}
hostAliases: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .of.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .of.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "podium.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "podium.name" .)) -}}
{{- end }}

{{- define "podium.workSettings" -}}
- configMapRef: {name: {{ include "podium.name" . }}-work}
- configMapRef: {name: {{ include "podium.name" . }}-settings}
{{- end }}

{{/* Pods of a new configuration are new pods. */}}
{{- define "podium.checksums" -}}
podium/settings: {{ include (print .Template.BasePath "/settings-configmap.yaml") . | sha256sum }}
podium/work: {{ include (print .Template.BasePath "/work-configmap.yaml") . | sha256sum }}
podium/hardware: {{ .Values.hardware | sha256sum }}
podium/connections: {{ list .Values.database .Values.redis | toJson | sha256sum }}
{{- end }}

{{/* Environment of whoever speaks to the database and to Redis. */}}
{{- define "podium.connections" -}}
- name: PODIUM_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret | default (printf "%s-connections" (include "podium.name" .)) }}
      key: {{ if .Values.database.existingSecret }}{{ .Values.database.key }}{{ else }}database{{ end }}
- name: PODIUM_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret | default (printf "%s-connections" (include "podium.name" .)) }}
      key: {{ if .Values.redis.existingSecret }}{{ .Values.redis.key }}{{ else }}redis{{ end }}
{{- end }}

{{/* Mounts and volumes of whoever works with repos and keys. */}}
{{- define "podium.workMounts" -}}
- {name: data, mountPath: /data}
- {name: scratch, mountPath: /tmp}
- {name: run, mountPath: /run/podium}
- {name: keys, mountPath: /etc/podium/keys, readOnly: true}
{{- include "podium.commonMounts" . }}
{{- end }}

{{- define "podium.commonMounts" }}
{{- if .Values.hardware }}
- {name: hardware, mountPath: /etc/podium/hardware, readOnly: true}
{{- end }}
{{- if .Values.caBundle.existingConfigMap }}
- {name: ca, mountPath: /etc/podium/ca, readOnly: true}
{{- end }}
{{- if .Values.registry.existingSecret }}
- {name: registry-login, mountPath: /etc/podium/registry, readOnly: true}
{{- end }}
{{- end }}

{{- define "podium.workVolumes" -}}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.data.existingClaim | default (printf "%s-data" (include "podium.name" .)) }}
- name: run
  emptyDir: {}
- name: keys
  secret: {secretName: {{ include "podium.keysSecret" . }}, defaultMode: 0440}
{{- if .Values.hardware }}
- name: hardware
  configMap: {name: {{ include "podium.name" . }}-hardware}
{{- end }}
{{- with .Values.caBundle.existingConfigMap }}
- name: ca
  configMap: {name: {{ . }}}
{{- end }}
{{- with .Values.registry.existingSecret }}
- name: registry-login
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: .dockerconfigjson, path: config.json}]
{{- end }}
{{- if include "podium.registryDoor" . }}
- name: door
  configMap: {name: {{ include "podium.name" . }}-registry-door}
{{- end }}
{{- end }}

{{/* Waits for the database and brings it up to date. */}}
{{- define "podium.migrateContainer" -}}
- name: migrate
  image: {{ include "podium.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [migrate, --wait, {{ .Values.migrate.wait | quote }}]
  envFrom: {{- include "podium.workSettings" . | nindent 4 }}
  env: {{- include "podium.connections" . | nindent 4 }}
  securityContext: {{- include "podium.containerSecurity" . | nindent 4 }}
  resources: {{- toYaml .Values.migrate.resources | nindent 4 }}
  volumeMounts: {{- include "podium.workMounts" . | nindent 4 }}
{{- end }}

{{/* Secret with one side's key and certificate between builders and buildkitd, "" without TLS; (dict "root" $ "side" "server"). */}}
{{- define "podium.buildkitTls" -}}
{{- with .root.Values.buildkit }}
{{- if and .enabled .tls.enabled }}{{ get .tls (printf "%sSecret" $.side) | default (printf "%s-buildkit-%s" (include "podium.name" $.root) $.side) }}{{ end -}}
{{- end -}}
{{- end }}

{{/* Images are named after what nodes call the registry. */}}
{{- define "podium.registry" -}}
{{- if .Values.trial.registry.enabled }}localhost:{{ .Values.trial.registry.nodePort }}/podium{{ else }}{{ .Values.registry.url }}{{ end -}}
{{- end }}

{{/* Where a sidecar forwards to, when that name means nothing in pods; empty: no need. */}}
{{- define "podium.registryDoor" -}}
{{- if .Values.trial.registry.enabled }}{{ include "podium.name" . }}-registry:5000{{ else }}{{ .Values.registry.podAddress }}{{ end -}}
{{- end }}

{{- define "podium.registryDoorContainer" -}}
{{- if include "podium.registryDoor" . -}}
{{- $port := include "podium.registry" . | splitList "/" | first | splitList ":" | last -}}
- name: registry-door
  image: {{ include "podium.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [python3, /etc/podium/door/forward.py, {{ $port | quote }}, {{ include "podium.registryDoor" . | quote }}]
  securityContext: {{- include "podium.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 24Mi}
    limits: {memory: 64Mi}
  readinessProbe:
    exec: {command: [python3, -c, "import socket; socket.create_connection(('127.0.0.1', {{ $port }}), 2)"]}
    periodSeconds: 20
    timeoutSeconds: 5
  volumeMounts:
    - {name: door, mountPath: /etc/podium/door, readOnly: true}
{{- end -}}
{{- end }}
