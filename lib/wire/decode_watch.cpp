#include "wire/decoder_impl.hpp"
#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field event_fields[] = {
    scalar<&event::type>("type"),
    object<&event::kv>("kv", key_value_shape),
    object<&event::prev_kv>("prev_kv", key_value_shape),
};
constexpr shape event_shape{event_fields};

constexpr field watch_fields[] = {
    object<&watch_response::header>("header", header_shape),
    scalar<&watch_response::watch_id>("watch_id"),
    scalar<&watch_response::created>("created"),
    scalar<&watch_response::canceled>("canceled"),
    revision<&watch_response::compact_revision>("compact_revision"),
    text<&watch_response::cancel_reason>("cancel_reason"),
    scalar<&watch_response::fragment>("fragment"),
    object<&watch_response::events>("events", event_shape),
};
constexpr shape watch_shape{watch_fields};

}  // namespace

template <> const shape& shape_of<watch_response>() { return watch_shape; }

template class decoder<watch_response>;

}  // namespace dynconf::wire
