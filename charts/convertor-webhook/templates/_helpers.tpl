{{/* The chart's name for names and labels. Of a dependency it is the alias, which may be convertorWebhook or
     convertor_webhook. There is room for "-test" in a label. */}}
{{- define "convertor-webhook.name" -}}
{{ default .Chart.Name .Values.nameOverride | lower | replace "_" "-" | trunc 58 | trimAll "-" | default "convertor-webhook" }}
{{- end }}

{{/* Prefix of the names of all objects; a DNS label of at most 63 characters. */}}
{{- define "convertor-webhook.fullname" -}}
{{- $name := include "convertor-webhook.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- $full = $full | replace "." "-" | trunc 63 | trimAll "-" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $full) -}}
{{- fail (printf "the name %q must begin with a letter and consist of lower case letters, digits and '-', because it is the name of a Service: set fullnameOverride" $full) -}}
{{- end -}}
{{- $full -}}
{{- end }}

{{/* Name of cluster-scoped objects; with the namespace, so that releases of the same name do not conflict. */}}
{{- define "convertor-webhook.clustername" -}}
{{ include "convertor-webhook.fullname" . }}-{{ .Release.Namespace }}
{{- end }}

{{/* Labels of the server's pods. Names are quoted, because a release may be called `on` or `123`. */}}
{{- define "convertor-webhook.selectorLabels" -}}
app.kubernetes.io/name: {{ include "convertor-webhook.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels of the test pod, other than the server's: Service, PodDisruptionBudget and NetworkPolicy must not
     select it. */}}
{{- define "convertor-webhook.testLabels" -}}
app.kubernetes.io/name: {{ printf "%s-test" (include "convertor-webhook.name" .) | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Rule of a NetworkPolicy for (list root port peers): without peers from any address, else also from the
     test pod. */}}
{{- define "convertor-webhook.ingress" -}}
- ports:
    - port: {{ index . 1 }}
      protocol: TCP
  {{- with index . 2 }}
  from:
    {{- toYaml . | nindent 4 }}
    - podSelector:
        matchLabels:
          {{- include "convertor-webhook.testLabels" (index $ 0) | nindent 10 }}
  {{- end }}
{{- end }}

{{/* A label's value of at most 63 characters, with a letter or digit at both ends. */}}
{{- define "convertor-webhook.labelValue" -}}
{{ . | replace "+" "_" | trunc 63 | trimAll "-_." }}
{{- end }}

{{- define "convertor-webhook.labels" -}}
{{- $labels := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | include "convertor-webhook.labelValue")
      "app.kubernetes.io/version" (include "convertor-webhook.labelValue" .Chart.AppVersion)
      "app.kubernetes.io/managed-by" .Release.Service
      "app.kubernetes.io/part-of" "forklift" -}}
{{- $selector := include "convertor-webhook.selectorLabels" . | fromYaml -}}
{{- toYaml (mergeOverwrite (deepCopy (default dict .Values.commonLabels)) $labels $selector) -}}
{{- end }}

{{/* Metadata of (list root name namespace), optionally with annotations and labels. The namespace is true for
     that of the release, and false for an object of the cluster. Helm removes a map that a user leaves empty,
     `commonLabels:`, hence the defaults. */}}
{{- define "convertor-webhook.metadata" -}}
{{- $root := index . 0 -}}
{{- $annotations := deepCopy (default dict $root.Values.commonAnnotations) -}}
{{- $labels := include "convertor-webhook.labels" $root | fromYaml -}}
{{- if gt (len .) 3 }}{{ $annotations = mergeOverwrite $annotations (default dict (index . 3)) }}{{ end -}}
{{- if gt (len .) 4 }}{{ $labels = mergeOverwrite $labels (default dict (index . 4)) }}{{ end -}}
name: {{ index . 1 | quote }}
{{- with index . 2 }}
namespace: {{ kindIs "string" . | ternary . $root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "convertor-webhook.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "convertor-webhook.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "convertor-webhook.image" -}}
{{- with .Values.image -}}
{{- $at := .digest | empty | ternary (printf ":%s" (default $.Chart.AppVersion .tag)) (printf "@%s" .digest) -}}
{{- $image := printf "%s%s" (list (trimAll "/" .registry) (trimAll "/" .repository) | compact | join "/") $at -}}
{{- $host := "([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:]+\\])(:[0-9]+)?" -}}
{{- $part := "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*" -}}
{{- if not (regexMatch (printf "^(%s/)?%s(/%s)*(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$" $host $part $part) $image) -}}
{{- fail (printf "%q is not the name of an image: expected a host such as ghcr.io in image.registry, a path in lower case in image.repository, and the tag in image.tag" $image) -}}
{{- end -}}
{{- $image -}}
{{- end -}}
{{- end }}

{{/* The Secret with the serving certificate, or in mode self-managed with the CA. Each mode uses another
     name, because Helm and OpenShift's service CA reject Secrets of other owners. */}}
{{- define "convertor-webhook.certificateSecret" -}}
{{- if eq .Values.certificates.mode "provided" -}}
{{ required "certificates.mode provided needs certificates.provided.secretName" .Values.certificates.provided.secretName }}
{{- else if eq .Values.certificates.mode "self-managed" -}}
{{ include "convertor-webhook.fullname" . }}-ca
{{- else -}}
{{ include "convertor-webhook.fullname" . }}-{{ .Values.certificates.mode }}-tls
{{- end -}}
{{- end }}

{{/* Seconds of a duration such as 2160h or 1h30m. */}}
{{- define "convertor-webhook.seconds" -}}
{{- $hours := regexFind "[0-9]+h" . | trimSuffix "h" | atoi -}}
{{- $minutes := regexFind "[0-9]+m" . | trimSuffix "m" | atoi -}}
{{- $seconds := regexFind "[0-9]+s" . | trimSuffix "s" | atoi -}}
{{- add (mul 3600 $hours) (mul 60 $minutes) $seconds -}}
{{- end }}

{{/* Seconds before its expiry when a serving certificate should have been renewed for some time. */}}
{{- define "convertor-webhook.late" -}}
{{- $days := mul 3 86400 -}}
{{- if eq .Values.certificates.mode "self-managed" -}}
{{- /* It is renewed after two thirds of seven days, when more than two days are left. */ -}}
86400
{{- else if eq .Values.certificates.mode "openshift" -}}
{{- /* The service CA renews it when less than an hour is left. */ -}}
1800
{{- else if eq .Values.certificates.mode "cert-manager" -}}
{{- min $days (div (include "convertor-webhook.seconds" .Values.certificates.certManager.renewBefore) 2) -}}
{{- else -}}
{{- $days -}}
{{- end -}}
{{- end }}

{{/* The CAs of mode provided that the chart renders. */}}
{{- define "convertor-webhook.caBundle" -}}
{{- if eq .Values.certificates.mode "provided" }}{{ default "" .Values.certificates.provided.caBundle | trim }}{{ end -}}
{{- end }}

{{/* "true" if the server publishes the CA; otherwise an injector or the chart does. */}}
{{- define "convertor-webhook.publishes" -}}
{{- $modes := list "self-managed" "provided" -}}
{{- if and (has .Values.certificates.mode $modes) (not (include "convertor-webhook.caBundle" .)) }}true{{ end -}}
{{- end }}

{{/* "true" if the cluster has ValidatingAdmissionPolicy in v1. By the version, because `helm template` and
     Argo CD without access to a cluster know no other capabilities. */}}
{{- define "convertor-webhook.hasAdmissionPolicies" -}}
{{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- end }}

{{/* Annotations of the webhook configurations, including those for an injector. */}}
{{- define "convertor-webhook.injection" -}}
{{- $annotations := deepCopy (default dict .Values.webhook.annotations) -}}
{{- if eq .Values.certificates.mode "cert-manager" -}}
{{- $certificate := printf "%s/%s" .Release.Namespace (include "convertor-webhook.certificateSecret" .) -}}
{{- $annotations = set $annotations "cert-manager.io/inject-ca-from" $certificate -}}
{{- else if eq .Values.certificates.mode "openshift" -}}
{{- $annotations = set $annotations "service.beta.openshift.io/inject-cabundle" "true" -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end }}

{{/* The Service that the API server calls. caBundle is not rendered, not even empty, if the server or an
     injector writes it: an upgrade would revert it. */}}
{{- define "convertor-webhook.clientConfig" -}}
service:
  name: {{ include "convertor-webhook.fullname" (index . 0) | quote }}
  namespace: {{ (index . 0).Release.Namespace | quote }}
  path: {{ index . 1 }}
  port: 443
{{- with include "convertor-webhook.caBundle" (index . 0) }}
caBundle: {{ printf "%s\n" . | b64enc }}
{{- end }}
{{- end }}

{{/* Selector of the namespaces for whose pods the webhook is called. */}}
{{- define "convertor-webhook.namespaceSelector" -}}
{{- $excluded := default list .Values.webhook.excludedNamespaces -}}
{{- if .Values.webhook.excludeReleaseNamespace -}}
{{- $excluded = append $excluded .Release.Namespace | uniq -}}
{{- end -}}
{{- $selector := deepCopy (default dict .Values.webhook.namespaceSelector) -}}
{{- with $excluded -}}
{{- $others := dict "key" "kubernetes.io/metadata.name" "operator" "NotIn" "values" . -}}
{{- $selector = set $selector "matchExpressions" (append (default list $selector.matchExpressions) $others) -}}
{{- end -}}
{{- toYaml $selector -}}
{{- end }}

{{/* The roles that some plan may place, by limits.roles and limits.namespaces, as a YAML list. */}}
{{- define "convertor-webhook.roles" -}}
{{- $roles := .Values.limits.roles -}}
{{- range .Values.limits.namespaces -}}
{{- $roles = concat $roles (default list .roles) | uniq -}}
{{- end -}}
{{- toYaml $roles -}}
{{- end }}

{{/* "true" if pods may get a PriorityClass, from their plan or from the defaults. */}}
{{- define "convertor-webhook.hasPriorityClasses" -}}
{{- $found := or .Values.limits.priorityClasses .Values.defaults.priorityClass -}}
{{- range .Values.limits.namespaces }}{{ $found = or $found .priorityClasses }}{{ end -}}
{{- range .Values.defaults.roles }}{{ $found = or $found .priorityClass }}{{ end -}}
{{- if $found }}true{{ end -}}
{{- end }}

{{/* Not empty if the convertor pods of some namespace have a profile. */}}
{{- define "convertor-webhook.hasProfile" -}}
{{- $found := false -}}
{{- range $key, $value := .Values.convertor -}}
{{- if and $value (ne $key "namespaces") }}{{ $found = true }}{{ end -}}
{{- end -}}
{{- range .Values.convertor.namespaces }}{{ $found = or $found (not (empty .)) }}{{ end -}}
{{- if $found }}true{{ end -}}
{{- end }}

{{/* Not empty if the server may send pods with that profile as a dry run. The right to create pods needs the policy
     that limits it. */}}
{{- define "convertor-webhook.checksProfile" -}}
{{- if and (include "convertor-webhook.hasProfile" .) .Values.checkConvertorProfile (include "convertor-webhook.hasAdmissionPolicies" .) }}true{{ end -}}
{{- end }}

{{/* The values of the label `forklift.app` on the pods of these roles, as a YAML list. */}}
{{- define "convertor-webhook.forkliftApps" -}}
{{- $roles := include "convertor-webhook.roles" . | fromYamlArray -}}
{{- $apps := list -}}
{{- if has "convertor" $roles }}{{ $apps = append $apps "virt-v2v" }}{{ end -}}
{{- if has "inspection" $roles }}{{ $apps = concat $apps (list "virt-v2v-inspection" "deep-inspection") }}{{ end -}}
{{- if has "first-consumer" $roles }}{{ $apps = append $apps "consumer" }}{{ end -}}
{{- toYaml $apps -}}
{{- end }}

{{/* "true" if one of these roles has pods that are placed by their disk. */}}
{{- define "convertor-webhook.readsDisks" -}}
{{- $roles := include "convertor-webhook.roles" . | fromYamlArray -}}
{{- range list "first-consumer" "importer" "populator" -}}
{{- if has . $roles }}true{{ end -}}
{{- end -}}
{{- end }}

{{/* The fields that webhooks for pods have in common, for (list root matchConditions failurePolicy
     timeoutSeconds). */}}
{{- define "convertor-webhook.podWebhook" -}}
{{- $root := index . 0 -}}
admissionReviewVersions: [v1]
clientConfig:
  {{- include "convertor-webhook.clientConfig" (list $root "/mutate") | nindent 2 }}
rules:
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [CREATE]
    resources: [pods]
    scope: Namespaced
namespaceSelector:
  {{- include "convertor-webhook.namespaceSelector" $root | nindent 2 }}
{{- if semverCompare ">=1.28-0" $root.Capabilities.KubeVersion.Version }}
matchConditions:
  {{- index . 1 | nindent 2 }}
{{- end }}
failurePolicy: {{ index . 2 }}
matchPolicy: Equivalent
# Placement is idempotent, so a second review after another webhook's change is safe.
reinvocationPolicy: IfNeeded
# Events on Plans are the only side effect; a dry run writes none.
sideEffects: NoneOnDryRun
timeoutSeconds: {{ index . 3 }}
{{- end }}

{{/* Conditions for the pods that Forklift creates itself, and for the policy on convertor pods. */}}
{{- define "convertor-webhook.matchConditions" -}}
{{ include "convertor-webhook.notAMirrorPod" . }}
{{- with .Values.webhook.matchConditions }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Conditions for importers: other imports have them too, but no other pods. */}}
{{- define "convertor-webhook.importerConditions" -}}
{{ include "convertor-webhook.notAMirrorPod" . }}
- name: importer-of-a-pvc
  expression: >-
    has(object.metadata.name) && object.metadata.name.startsWith('importer-') &&
    has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(owner,
    owner.kind == 'PersistentVolumeClaim' && has(owner.controller) && owner.controller)
{{- end }}

{{/* Conditions for populators. Those of Forklift 2.10 have no owner yet. */}}
{{- define "convertor-webhook.populatorConditions" -}}
{{ include "convertor-webhook.notAMirrorPod" . }}
- name: populator-by-name
  expression: has(object.metadata.name) && object.metadata.name.startsWith('populate-')
{{- end }}

{{- define "convertor-webhook.notAMirrorPod" -}}
# A mirror pod cannot be placed: the kubelet has already started its pod.
- name: not-a-mirror-pod
  expression: "!has(object.metadata.annotations) || !('kubernetes.io/config.mirror' in object.metadata.annotations)"
{{- end }}

{{/* A mode. YAML reads a bare `off` as false. */}}
{{- define "convertor-webhook.mode" -}}
{{ . | toString | replace "false" "off" }}
{{- end }}

{{/* The name of the ConfigMap with the settings. kubectl convertor derives it from the Service's. */}}
{{- define "convertor-webhook.configMap" -}}
{{ include "convertor-webhook.fullname" . }}-config
{{- end }}

{{/* The file of `--config`, which docs/settings.md describes. Empty defaults are left out. */}}
{{- define "convertor-webhook.config" -}}
{{- $modes := dict -}}
{{- range $namespace, $mode := .Values.namespaceModes -}}
{{- $modes = set $modes $namespace (include "convertor-webhook.mode" $mode) -}}
{{- end -}}
{{- $defaults := dict -}}
{{- range $key, $value := .Values.defaults -}}
{{- if $value }}{{ $defaults = set $defaults $key $value }}{{ end -}}
{{- end -}}
{{- $limits := dict -}}
{{- range $key, $value := .Values.limits -}}
{{- if or $value (and (kindIs "slice" $value) (ne $key "priorityClasses")) }}{{ $limits = set $limits $key $value }}{{ end -}}
{{- end -}}
{{- $enforced := dict -}}
{{- range $key, $value := .Values.enforced -}}
{{- if $value }}{{ $enforced = set $enforced $key $value }}{{ end -}}
{{- end -}}
{{- $convertor := dict -}}
{{- range $key, $value := .Values.convertor -}}
{{- if $value }}{{ $convertor = set $convertor $key $value }}{{ end -}}
{{- end -}}
# yaml-language-server: $schema={{ include "convertor-webhook.configSchema" . }}
# Settings of the release {{ .Release.Name }}, from the values of its chart. Change them with helm upgrade.
#
# enforce places pods, audit reports what enforce would change, off does neither.
mode: {{ include "convertor-webhook.mode" .Values.mode | toYaml }}
# Modes by the namespace that VMs are migrated into; each overrides mode.
namespaceModes: {{- include "convertor-webhook.inline" $modes }}
# Allow plans to override mode and namespaceModes by an annotation.
planModes: {{ .Values.planModes }}
# Namespaces of pod rules that name none: all, or the pod's own.
scope: {{ .Values.scope | toYaml }}
# With invalid settings of a plan, allow applies the valid ones and deny rejects its convertor pods.
onError: {{ .Values.onError | toYaml }}
# Add the labels app=virt-v2v and forklift.app/plan to convertor pods without them.
identityLabels: {{ .Values.identityLabels }}
# Prefix of the annotations on Plans and pods.
annotationPrefix: {{ .Values.annotationPrefix | toYaml }}
# Settings for all plans; those of a plan override them.
defaults: {{- include "convertor-webhook.inline" $defaults }}
# Limits for the settings of plans: null is the built-in limit.
limits: {{- include "convertor-webhook.inline" $limits }}
# Settings of all migration pods, which no plan switches off.
enforced: {{- include "convertor-webhook.inline" $enforced }}
# Privileges of convertor pods, which no plan can set.
convertor: {{- include "convertor-webhook.inline" $convertor }}
{{- end }}

{{/* A map below its key. */}}
{{- define "convertor-webhook.inline" -}}
{{- if . }}{{ toYaml . | nindent 2 }}{{ else }} {}{{ end -}}
{{- end }}

{{- define "convertor-webhook.configSchema" -}}
https://raw.githubusercontent.com/convertor-webhook/convertor-webhook/v{{ .Chart.AppVersion }}/webhook/settings/installation.schema.json
{{- end }}

{{/* The server's command line. */}}
{{- define "convertor-webhook.args" -}}
{{- $name := include "convertor-webhook.fullname" . -}}
- serve
- --listen={{ .Values.bindAddress }}:{{ .Values.ports.webhook }}
- --status-listen={{ .Values.bindAddress }}:{{ .Values.ports.status }}
- --config=/etc/convertor-webhook/config/config.yaml
- --{{ if not .Values.watchPods }}no-{{ end }}watch-pods
{{- if .Values.watchPods }}
- --webhook-config={{ include "convertor-webhook.clustername" . }}
{{- range .Values.watchPodsNamespaces }}
- --watch-pods-namespace={{ . }}
{{- end }}
{{- end }}
{{- if .Values.hubKubeconfig.secretName }}
- --hub-kubeconfig=/etc/convertor-webhook/hub/kubeconfig
{{- end }}
{{- if eq .Values.certificates.mode "self-managed" }}
- --certs-secret={{ .Release.Namespace }}/{{ include "convertor-webhook.certificateSecret" . }}
{{- else }}
- --tls-dir=/etc/convertor-webhook/tls
{{- end }}
{{- if has .Values.certificates.mode (list "self-managed" "provided") }}
- --certs-service={{ .Release.Namespace }}/{{ $name }}
{{- end }}
{{- if include "convertor-webhook.publishes" . }}
- --certs-webhook-config={{ include "convertor-webhook.clustername" . }}
{{- end }}
{{- if .Values.clientCA.configMapName }}
- --client-ca=/etc/convertor-webhook/client-ca/ca.crt
{{- end }}
- --log-format={{ .Values.log.format }}
- --log-level={{ .Values.log.level }}
- --max-concurrent={{ int .Values.maxConcurrent }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}
