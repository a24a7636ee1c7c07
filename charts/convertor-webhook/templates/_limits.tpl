{{/* The built-in limits of webhook/settings/limits.py, for the policy of `limitsPolicy`. */}}
{{- define "convertor-webhook.limits.builtIn" -}}
controllerLabels: [app, k8s-app, pod-template-hash, controller-uid, controller-revision-hash, job-name]
labelDomains:
  - kubernetes.io
  - k8s.io
  - kubevirt.io
  - openshift.io
  - konveyor.io
  - istio.io
  - linkerd.io
  - cilium.io
  - projectcalico.org
  - kueue.x-k8s.io
  - azure.workload.identity
  - spiffe.io
taints:
  - node-role.kubernetes.io/control-plane
  - node-role.kubernetes.io/master
  - node-role.kubernetes.io/etcd
  - CriticalAddonsOnly
  - ToBeDeletedByClusterAutoscaler
  - DeletionCandidateOfClusterAutoscaler
  - karpenter.sh/disrupted
taintPrefixes: [node.kubernetes.io/, node.cloudprovider.kubernetes.io/]
settings: ["*"]
roles: [convertor, inspection, first-consumer, importer, populator]
labels: []
nodeLabels: ["*"]
tolerations: []
ruleNamespaces: ["*"]
targetNamespaces: ["*"]
avoidTopologies: [kubernetes.io/hostname]
priorityClasses: []
podAnnotations:
  - cluster-autoscaler.kubernetes.io/safe-to-evict
  - karpenter.sh/do-not-disrupt
  - descheduler.alpha.kubernetes.io/prefer-no-eviction
resources: []
{{- end }}

{{/* Settings that annotations of a Plan may have; those of a role have `.ROLE` at the end. */}}
{{- define "convertor-webhook.limits.settings" -}}
["affinity","affinity-policy","disks","labels","mode","node-selector","pod-annotations","pods","priority-class","resources","scope","tolerations"]
{{- end }}

{{- define "convertor-webhook.limits.roles" -}}
["convertor","inspection","first-consumer","importer","populator"]
{{- end }}

{{/* A limit of .limits.KEY as a JSON list; the largest resources as `cpu=8`. */}}
{{- define "convertor-webhook.limits.list" -}}
{{- if kindIs "map" . -}}
{{- $found := list -}}
{{- range $name, $amount := . -}}
{{- if not (kindIs "invalid" $amount) }}{{ $found = append $found (printf "%s=%s" $name (toString $amount)) }}{{ end -}}
{{- end -}}
{{ toJson $found }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{/* CEL: the list of the limit (list root KEY), which the namespace of the Plan may replace. The lists of namespaces
     are texts, because a map with an empty list and others has more than one type. */}}
{{- define "convertor-webhook.limits.value" -}}
{{- $key := index . 1 -}}
{{- with index . 0 -}}
{{- $general := index .Values.limits $key -}}
{{- if kindIs "invalid" $general }}{{ $general = get (include "convertor-webhook.limits.builtIn" . | fromYaml) $key }}{{ end -}}
{{- $general = include "convertor-webhook.limits.list" $general -}}
{{- $texts := dict -}}
{{- range $namespace, $own := .Values.limits.namespaces -}}
{{- if not (kindIs "invalid" (index (default dict $own) $key)) -}}
{{- $texts = set $texts $namespace (include "convertor-webhook.limits.list" (index $own $key) | fromJsonArray | join ", ") -}}
{{- end -}}
{{- end -}}
{{- if $texts -}}
(request.namespace in {{ toJson $texts }} ? {{ toJson $texts }}[request.namespace] : {{ fromJsonArray $general | join ", " | toJson }}).split(", ").filter(p, p != "")
{{- else -}}
{{ $general }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* CEL: true if the limit (list root KEY) is set, and the built-in one does not apply. */}}
{{- define "convertor-webhook.limits.isSet" -}}
{{- $key := index . 1 -}}
{{- $limits := (index . 0).Values.limits -}}
{{- $namespaces := list -}}
{{- range $namespace, $own := $limits.namespaces -}}
{{- if not (kindIs "invalid" (index (default dict $own) $key)) }}{{ $namespaces = append $namespaces $namespace }}{{ end -}}
{{- end -}}
{{- if not (kindIs "invalid" (index $limits $key)) -}}
true
{{- else -}}
request.namespace in {{ toJson $namespaces }}
{{- end -}}
{{- end }}

{{/* CEL: true if a text is allowed by a limit, (list TEXT KEY). */}}
{{- define "convertor-webhook.limits.matches" -}}
{{- $text := index . 0 }}{{ $key := index . 1 -}}
({{ $text }} in variables.{{ $key }} || variables.{{ $key }}Prefixes.exists(p, {{ $text }}.startsWith(p)))
{{- end }}

{{/* CEL: `limits.labels of the installation has only team and batch` for (list KEY). */}}
{{- define "convertor-webhook.limits.describe" -}}
{{- $list := printf "variables.%s" . -}}
"limits.{{ . }} of the installation " + (size({{ $list }}) == 0 ? "allows none" : size({{ $list }}) > 5 ? "has only " + [0, 1, 2, 3, 4].map(i, {{ $list }}[i]).join(", ") + " and " + string(size({{ $list }}) - 5) + " more" : "has only " + {{ $list }}.join(", "))
{{- end }}

{{/* CEL: a text in quotes; a message has at most 5 KiB. */}}
{{- define "convertor-webhook.limits.quote" -}}
"'" + (size({{ . }}) > 317 ? {{ . }}.substring(0, 317) + "…" : {{ . }}) + "'"
{{- end }}

{{/* CEL: key and value of each entry of a text `k=v,k2=v2`, as lists. */}}
{{- define "convertor-webhook.limits.pairs" -}}
{{ . }}.split(",").filter(e, e.contains("=")).map(e, e.split("=", 2).map(s, s.trim()))
{{- end }}

{{/* CEL: key, `=value` and effect of a taint as in kubectl taint; value and effect may be empty. */}}
{{- define "convertor-webhook.limits.taint" -}}
[{{ . }}.split(":", 2)[0].split("=", 2)[0].trim(), {{ . }}.split(":", 2)[0].contains("=") ? "=" + {{ . }}.split(":", 2)[0].split("=", 2)[1].trim() : "", {{ . }}.contains(":") ? {{ . }}.split(":", 2)[1].trim() : ""]
{{- end }}

{{- define "convertor-webhook.limits.taints" -}}
{{ . }}.split(",").filter(e, e.trim() != "").map(e, {{ include "convertor-webhook.limits.taint" "e" }})
{{- end }}

{{/* CEL: for each changed annotation of a setting that has new entries beyond its limit, a list with the annotation and
     these entries, for (list root SETTING READER BEYOND). The reader is a template, and BEYOND an expression on the entry `x`. */}}
{{- define "convertor-webhook.limits.entries" -}}
{{- $root := index . 0 }}{{ $reader := index . 2 -}}
{{- $name := printf "%q + n" (printf "%s/" $root.Values.annotationPrefix) -}}
variables.lists.filter(n, n.split(".")[0] == "{{ index . 1 }}").map(n, [[n]] + [{{ include $reader (printf "variables.old_annotations[?%s].orValue(\"\")" $name) }}].map(olds, {{ include $reader (printf "variables.annotations[%s]" $name) }}.filter(x, {{ index . 3 }} && !(x in olds)))[0]).filter(found, size(found) > 1)
{{- end }}

{{/* CEL: true if the key of a label is beyond the limits. */}}
{{- define "convertor-webhook.limits.labelsBeyond" -}}
{{- $builtIn := include "convertor-webhook.limits.builtIn" . | fromYaml -}}
(variables.hasLabels ? !{{ include "convertor-webhook.limits.matches" (list . "labels") }} : {{ . }} in {{ toJson $builtIn.controllerLabels }} || ({{ . }}.contains("/") && {{ toJson $builtIn.labelDomains }}.exists(d, ("." + {{ . }}.split("/", 2)[0]).endsWith("." + d))))
{{- end }}

{{- define "convertor-webhook.limits.nodeLabelsBeyond" -}}
!{{ include "convertor-webhook.limits.matches" (list . "nodeLabels") }}
{{- end }}

{{/* CEL: true if the taint `x` is beyond the limits, for the built-in ones. */}}
{{- define "convertor-webhook.limits.tolerationsBeyond" -}}
(variables.hasTolerations ? !([x[0], x[0] + x[1], x[0] + ":" + x[2], x[0] + x[1] + ":" + x[2]].exists(t, t in variables.tolerations) || variables.taintPrefixes.exists(t, (t[0] == x[0] || (t[0].endsWith("*") && x[0].startsWith(t[0].substring(0, size(t[0]) - 1)))) && (t[2] == "" || t[2] == x[2]) && (t[1] == "" || x[1] == t[1] || (t[1].endsWith("*") && x[1].startsWith(t[1].substring(0, size(t[1]) - 1)))))) : x[0] in {{ toJson .taints }} || {{ toJson .taintPrefixes }}.exists(p, x[0].startsWith(p)))
{{- end }}

{{/* CEL: a taint as in kubectl taint. */}}
{{- define "convertor-webhook.limits.formatTaint" -}}
({{ . }}[0] + {{ . }}[1] + ({{ . }}[2] == "" ? "" : ":" + {{ . }}[2]))
{{- end }}

{{/* CEL: true if the resource `x` is more than its largest quantity. */}}
{{- define "convertor-webhook.limits.resourcesBeyond" -}}
variables.resources.exists(r, x[0] in ["requests." + r.split("=")[0], "limits." + r.split("=")[0]] && isQuantity(x[1]) && quantity(x[1]).isGreaterThan(quantity(r.split("=")[1])))
{{- end }}
