#include "wire/decoder_impl.hpp"
#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field grant_fields[] = {
    object<&lease_grant_response::header>("header", header_shape),
    scalar<&lease_grant_response::id>("ID"),
    ttl<&lease_grant_response::ttl>("TTL"),
    text<&lease_grant_response::error>("error"),
};
constexpr shape grant_shape{grant_fields};

constexpr field keep_alive_fields[] = {
    object<&lease_keep_alive_response::header>("header", header_shape),
    scalar<&lease_keep_alive_response::id>("ID"),
    ttl<&lease_keep_alive_response::ttl>("TTL"),
};
constexpr shape keep_alive_shape{keep_alive_fields};

constexpr field time_to_live_fields[] = {
    object<&lease_time_to_live_response::header>("header", header_shape),
    scalar<&lease_time_to_live_response::id>("ID"),
    ttl<&lease_time_to_live_response::ttl>("TTL"),
    ttl<&lease_time_to_live_response::granted_ttl>("grantedTTL"),
    bytes<&lease_time_to_live_response::keys>("keys"),
};
constexpr shape time_to_live_shape{time_to_live_fields};

constexpr field lease_fields[] = {scalar<&lease_entry::id>("ID")};
constexpr shape lease_shape{lease_fields};

constexpr field leases_fields[] = {
    object<&lease_leases_response::header>("header", header_shape),
    object<&lease_leases_response::leases>("leases", lease_shape),
};
constexpr shape leases_shape{leases_fields};

}  // namespace

template <> const shape& shape_of<lease_grant_response>() { return grant_shape; }
template <> const shape& shape_of<lease_keep_alive_response>() { return keep_alive_shape; }
template <> const shape& shape_of<lease_time_to_live_response>() { return time_to_live_shape; }
template <> const shape& shape_of<lease_leases_response>() { return leases_shape; }

template class decoder<lease_grant_response>;
template class decoder<lease_keep_alive_response>;
template class decoder<lease_time_to_live_response>;
template class decoder<lease_leases_response>;

}  // namespace dynconf::wire
