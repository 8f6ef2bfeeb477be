#include <dynconf/key_ring.hpp>

#include <fstream>
#include <iterator>
#include <stdexcept>

namespace dynconf {

namespace {

// As text in hex it has 64 characters, and a line break; more is no key.
constexpr std::size_t most_file_size = 66;

}  // namespace

sealing_key sealing_key::from_file(const std::string& path) {
    std::string content(most_file_size + 1, '\0');
    std::ifstream file;
    file.rdbuf()->pubsetbuf(nullptr, 0);   // no copy of the key in a buffer
    file.open(path, std::ios::binary);
    if (!file) throw std::invalid_argument("dynconf: the key file " + path + " cannot be read");
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    std::string_view text(content.data(), static_cast<std::size_t>(file.gcount()));
    const bool raw = text.size() == size;
    if (!raw && text.ends_with('\n')) text.remove_suffix(1);
    if (!raw && text.ends_with('\r')) text.remove_suffix(1);
    secret key(text);
    wipe(content);
    try {
        if (key.size() == 2 * size) return from_hex(key);
        if (key.size() == 43 || key.size() == 44) return from_base64(key);
        return sealing_key(std::move(key));
    } catch (const std::invalid_argument& e) {
        throw std::invalid_argument(e.what() + (", in " + path));
    }
}

}  // namespace dynconf
