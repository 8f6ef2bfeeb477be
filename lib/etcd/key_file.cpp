#include <dynconf/key_ring.hpp>

#include "transport/secret_file.hpp"

#include <stdexcept>

namespace dynconf {

namespace {

// As text in hex it has 64 characters, and a line break; more is no key.
constexpr std::size_t most_file_size = 66;

}  // namespace

sealing_key sealing_key::from_file(const std::string& path) {
    const auto content = transport::read_secret_file(path, most_file_size);
    if (!content) throw std::invalid_argument("dynconf: the key file cannot be read: " + content.error().message());
    const std::string_view text = content->reveal();
    secret key(text.size() == size ? text : transport::without_line_break(text));
    try {
        if (key.size() == 2 * size) return from_hex(key);
        if (key.size() == 43 || key.size() == 44) return from_base64(key);
        return sealing_key(std::move(key));
    } catch (const std::invalid_argument& e) {
        throw std::invalid_argument(e.what() + (", in " + path));
    }
}

}  // namespace dynconf
