#include "wire/decoder_impl.hpp"
#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field status_fields[] = {
    object<&status_response::header>("header", header_shape),
    text<&status_response::version>("version"),
    scalar<&status_response::db_size>("dbSize"),
    scalar<&status_response::leader>("leader"),
    scalar<&status_response::raft_index>("raftIndex"),
    scalar<&status_response::raft_term>("raftTerm"),
    scalar<&status_response::raft_applied_index>("raftAppliedIndex"),
    text<&status_response::errors>("errors"),
    scalar<&status_response::db_size_in_use>("dbSizeInUse"),
    scalar<&status_response::is_learner>("isLearner"),
};
constexpr shape status_shape{status_fields};

constexpr field member_fields[] = {
    scalar<&member::id>("ID"),
    text<&member::name>("name"),
    text<&member::peer_urls>("peerURLs"),
    text<&member::client_urls>("clientURLs"),
    scalar<&member::is_learner>("isLearner"),
};
constexpr shape member_shape{member_fields};

constexpr field member_list_fields[] = {
    object<&member_list_response::header>("header", header_shape),
    object<&member_list_response::members>("members", member_shape),
};
constexpr shape member_list_shape{member_list_fields};

constexpr field member_add_fields[] = {
    object<&member_add_response::header>("header", header_shape),
    object<&member_add_response::added>("member", member_shape),
    object<&member_add_response::members>("members", member_shape),
};
constexpr shape member_add_shape{member_add_fields};

constexpr field hash_kv_fields[] = {
    object<&hash_kv_response::header>("header", header_shape),
    scalar<&hash_kv_response::hash>("hash"),
    revision<&hash_kv_response::compact_revision>("compact_revision"),
};
constexpr shape hash_kv_shape{hash_kv_fields};

constexpr field downgrade_fields[] = {
    object<&downgrade_response::header>("header", header_shape),
    text<&downgrade_response::version>("version"),
};
constexpr shape downgrade_shape{downgrade_fields};

constexpr field alarm_entry_fields[] = {
    scalar<&alarm_entry::member_id>("memberID"),
    text<&alarm_entry::alarm>("alarm"),
};
constexpr shape alarm_entry_shape{alarm_entry_fields};

constexpr field alarm_fields[] = {
    object<&alarm_response::header>("header", header_shape),
    object<&alarm_response::alarms>("alarms", alarm_entry_shape),
};
constexpr shape alarm_shape{alarm_fields};

constexpr field snapshot_fields[] = {
    scalar<&snapshot_response::remaining_bytes>("remaining_bytes"),
    bytes<&snapshot_response::blob>("blob"),
};
constexpr shape snapshot_shape{.fields = snapshot_fields, .secret = true};

constexpr field health_fields[] = {
    text<&health_response::health>("health"),
    text<&health_response::reason>("reason"),
};
constexpr shape health_shape{health_fields};

constexpr field header_only_fields[] = {
    object<&header_only_response::header>("header", header_shape),
};
constexpr shape header_only_shape{header_only_fields};

}  // namespace

template <> const shape& shape_of<status_response>() { return status_shape; }
template <> const shape& shape_of<member_list_response>() { return member_list_shape; }
template <> const shape& shape_of<member_add_response>() { return member_add_shape; }
template <> const shape& shape_of<hash_kv_response>() { return hash_kv_shape; }
template <> const shape& shape_of<downgrade_response>() { return downgrade_shape; }
template <> const shape& shape_of<alarm_response>() { return alarm_shape; }
template <> const shape& shape_of<snapshot_response>() { return snapshot_shape; }
template <> const shape& shape_of<health_response>() { return health_shape; }
template <> const shape& shape_of<header_only_response>() { return header_only_shape; }

template class decoder<status_response>;
template class decoder<member_list_response>;
template class decoder<member_add_response>;
template class decoder<hash_kv_response>;
template class decoder<downgrade_response>;
template class decoder<alarm_response>;
template class decoder<snapshot_response>;
template class decoder<health_response>;
template class decoder<header_only_response>;

}  // namespace dynconf::wire
