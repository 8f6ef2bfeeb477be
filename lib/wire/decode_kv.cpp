#include "wire/decoder_impl.hpp"
#include "wire/shapes.hpp"

namespace dynconf::wire {
namespace {

constexpr field range_fields[] = {
    object<&range_response::header>("header", header_shape),
    object<&range_response::kvs>("kvs", key_value_shape),
    scalar<&range_response::more>("more"),
    scalar<&range_response::count>("count"),
};
constexpr shape range_shape{range_fields};

constexpr field put_fields[] = {
    object<&put_response::header>("header", header_shape),
    object<&put_response::prev_kv>("prev_kv", key_value_shape),
};
constexpr shape put_shape{put_fields};

constexpr field delete_fields[] = {
    object<&delete_response::header>("header", header_shape),
    scalar<&delete_response::deleted>("deleted"),
    object<&delete_response::prev_kvs>("prev_kvs", key_value_shape),
};
constexpr shape delete_shape{delete_fields};

extern const shape txn_shape;

template <class Response>
void* become(void* owner) {
    return &static_cast<op_response*>(owner)->emplace<Response>();
}

template <class Response>
constexpr field alternative(std::string_view name, const shape& inner) {
    return {.name = name, .kind = field_kind::object, .enter = &become<Response>, .inner = &inner};
}

constexpr field operation_fields[] = {
    alternative<range_response>("response_range", range_shape),
    alternative<put_response>("response_put", put_shape),
    alternative<delete_response>("response_delete_range", delete_shape),
    alternative<txn_response>("response_txn", txn_shape),
};
constexpr shape operation_shape{operation_fields};

constexpr field txn_fields[] = {
    object<&txn_response::header>("header", header_shape),
    scalar<&txn_response::succeeded>("succeeded"),
    object<&txn_response::responses>("responses", operation_shape),
};
constinit const shape txn_shape{txn_fields};

}  // namespace

template <> const shape& shape_of<range_response>() { return range_shape; }
template <> const shape& shape_of<put_response>() { return put_shape; }
template <> const shape& shape_of<delete_response>() { return delete_shape; }
template <> const shape& shape_of<txn_response>() { return txn_shape; }

template class decoder<range_response>;
template class decoder<put_response>;
template class decoder<delete_response>;
template class decoder<txn_response>;

}  // namespace dynconf::wire
