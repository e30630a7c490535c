/* libvips, which makes thumbnails. */
#include <vips/vips.h>
