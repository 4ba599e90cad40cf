# The reference policy in Rego: the rules of `policies/rust`. What is found by credential and kind is
# gathered once, for a walk over all places for each program would be as many walks; by `union_n`, for
# the virtual machine of regorus knows no sets that are rules with a key.
package reference

import rego.v1

orders := {
	"gateway": ["document", "environment"],
	"cli": ["environment", "document", "dotenv"],
	"tui": ["document", "dotenv", "environment"],
	"probe": ["dotenv", "environment", "document"],
}

others := ["unit", "environment", "document"]

# The copies that a reader finds.
found := object.union_n([{place.credential: {place.kind: {id: true}}} |
	some id, place in input.locations
	place.secret != null
])

clear := object.union_n([{place.credential: {id: true}} |
	some id, place in input.locations
	place.kind == "environment"
	place.presence == "plain"
])

truth := {credential: min(object.keys(ids)) | some credential, ids in clear}

reads(program) := [id |
	some kind in object.get(orders, program.name, others)
	some id, _ in found[program.credential][kind]
]

# The element at a position, if there is one.
at(list, position) := list[position] if {
	position < count(list)
} else := null

reason(program, today, wanted) := sprintf("%s finds no copy", [program.name]) if {
	today == null
} else := sprintf("%s reads %s", [program.name, input.locations[today].label]) if {
	wanted == null
} else := sprintf("%s reads %s; %s is the source of truth", [
	program.name,
	input.locations[today].label,
	input.locations[wanted].label,
])

verdicts := [verdict |
	some consumer, program in input.consumers
	ids := reads(program)
	today := at(ids, 0)
	wanted := object.get(truth, program.credential, null)
	verdict := {
		"consumer": consumer,
		"today": today,
		"wanted": wanted,
		"next": at(ids, 1),
		"reason": reason(program, today, wanted),
	}
]

# The places whose secret is another than the truth's.
astray := [[from, to] |
	some to, place in input.locations
	from := truth[place.credential]
	place.secret != input.locations[from].secret
]

is_open(place) if {
	place.writable
	place.presence != "reference"
}

actions := [action |
	some [from, to] in astray
	is_open(input.locations[to])
	action := {
		"from": from,
		"to": to,
		"reason": sprintf("%s follows %s", [input.locations[to].label, input.locations[from].label]),
	}
]

findings := [finding |
	some [from, to] in astray
	not is_open(input.locations[to])
	finding := {
		"code": "left-alone",
		"message": sprintf("%s does not follow %s", [input.locations[to].label, input.locations[from].label]),
		"location": to,
	}
]

decision := {"verdicts": verdicts, "actions": actions, "findings": findings}
