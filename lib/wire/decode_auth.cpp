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
    object<&auth_status_response::header>("header", header_shape),
    scalar<&auth_status_response::enabled>("enabled"),
    scalar<&auth_status_response::auth_revision>("authRevision"),
};
constexpr shape status_shape{status_fields};

constexpr field role_names_fields[] = {
    object<&role_names_response::header>("header", header_shape),
    text<&role_names_response::roles>("roles"),
};
constexpr shape role_names_shape{role_names_fields};

constexpr field user_list_fields[] = {
    object<&user_list_response::header>("header", header_shape),
    text<&user_list_response::users>("users"),
};
constexpr shape user_list_shape{user_list_fields};

constexpr field permission_fields[] = {
    text<&granted_permission::type>("permType"),
    bytes<&granted_permission::key>("key"),
    bytes<&granted_permission::range_end>("range_end"),
};
constexpr shape permission_shape{permission_fields};

constexpr field role_get_fields[] = {
    object<&role_get_response::header>("header", header_shape),
    object<&role_get_response::permissions>("perm", permission_shape),
};
constexpr shape role_get_shape{role_get_fields};

}  // namespace

template <> const shape& shape_of<authenticate_response>() { return authenticate_shape; }
template <> const shape& shape_of<auth_status_response>() { return status_shape; }
template <> const shape& shape_of<role_names_response>() { return role_names_shape; }
template <> const shape& shape_of<user_list_response>() { return user_list_shape; }
template <> const shape& shape_of<role_get_response>() { return role_get_shape; }

template class decoder<authenticate_response>;
template class decoder<auth_status_response>;
template class decoder<role_names_response>;
template class decoder<user_list_response>;
template class decoder<role_get_response>;

}  // namespace dynconf::wire
