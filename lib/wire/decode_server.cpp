#include "wire/decoder_impl.hpp"
#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field authenticate_fields[] = {
    object<&authenticate_response::header>("header", header_shape),
    text<&authenticate_response::token>("token"),
};
constexpr shape authenticate_shape{.fields = authenticate_fields, .secret = true};

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
    text<&member::name>("name"),
    text<&member::client_urls>("clientURLs"),
    scalar<&member::is_learner>("isLearner"),
};
constexpr shape member_shape{member_fields};

constexpr field member_list_fields[] = {
    object<&member_list_response::header>("header", header_shape),
    object<&member_list_response::members>("members", member_shape),
};
constexpr shape member_list_shape{member_list_fields};

constexpr field header_only_fields[] = {
    object<&header_only_response::header>("header", header_shape),
};
constexpr shape header_only_shape{header_only_fields};

}  // namespace

template <> const shape& shape_of<authenticate_response>() { return authenticate_shape; }
template <> const shape& shape_of<status_response>() { return status_shape; }
template <> const shape& shape_of<member_list_response>() { return member_list_shape; }
template <> const shape& shape_of<header_only_response>() { return header_only_shape; }

template class decoder<authenticate_response>;
template class decoder<status_response>;
template class decoder<member_list_response>;
template class decoder<header_only_response>;

}  // namespace dynconf::wire
