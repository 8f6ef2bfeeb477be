#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field header_fields[] = {
    scalar<&response_header::cluster_id>("cluster_id"),
    scalar<&response_header::member_id>("member_id"),
    revision<&response_header::revision>("revision"),
    scalar<&response_header::raft_term>("raft_term"),
};

constexpr field key_value_fields[] = {
    bytes<&key_value::key>("key"),
    revision<&key_value::create_revision>("create_revision"),
    revision<&key_value::mod_revision>("mod_revision"),
    scalar<&key_value::version>("version"),
    bytes<&key_value::value>("value"),
    scalar<&key_value::lease>("lease"),
};

}  // namespace

constinit const shape header_shape{header_fields};
constinit const shape key_value_shape{key_value_fields};

}  // namespace dynconf::wire
