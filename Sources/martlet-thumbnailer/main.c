/* Makes thumbnails of one image, in a process of its own: what decodes pictures of strangers runs outside the server, with little memory,
   little time and no rights.

   martlet-thumbnailer IMAGE MAX-PIXELS

   It writes one line about the image, and then one for each line that it reads:

       image WIDTH HEIGHT PAGES            as it is shown, that is after its orientation; or: refused REASON
       METHOD WIDTH HEIGHT FORMAT OUTPUT   crop or scale; jpeg, png, or webp, which keeps an animation
       done                                OUTPUT is written; or: failed REASON
*/
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vips/vips.h>
#include <vips/vector.h>

/* Bytes of addresses; seconds of a processor; bytes of a file that is written. */
static const rlim_t memory_limit = 1536UL * 1024 * 1024, time_limit = 20, output_limit = 64UL * 1024 * 1024;
/* An animation with more frames stands still in its thumbnail; of a larger thumbnail no smaller ones are made. */
enum { frame_limit = 500, base_limit = 4000000 };

/* The decoders that may be used: every other one is shut. */
static const char *const loaders[] = {"VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadNsgif", "VipsForeignLoadWebp",
                                      "VipsForeignLoadHeif"};

static void limit(int resource, rlim_t value) {
    struct rlimit both = {value, value};
    if (setrlimit(resource, &both) != 0) exit(2);
}

/* Whether it looks like HEIF or AVIF: ISO/IEC 14496-12, a box "ftyp" at the beginning. */
static bool is_heif(const char *path) {
    char head[12] = "";
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    size_t count = fread(head, 1, sizeof head, file);
    fclose(file);
    return count == sizeof head && memcmp(head + 4, "ftyp", 4) == 0;
}

static void give_up_rights(void) {
    limit(RLIMIT_AS, memory_limit);
    limit(RLIMIT_CPU, time_limit);
    limit(RLIMIT_FSIZE, output_limit);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (nice(5) == -1) { /* then at the server's own priority */ }
}

/* One line of answer. What libvips says of an error may have several lines. */
static void answer(const char *word, const char *reason) {
    char text[200];
    snprintf(text, sizeof text, "%s", reason);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    printf("%s %s\n", word, text);
    fflush(stdout);
    vips_error_clear();
}

struct picture {
    const char *path;
    int width, height, pages;
    /* Its colours are sRGB, eight bits each, as far as it says. */
    bool is_plain;
    /* The largest thumbnail of all of it so far, or NULL. */
    VipsImage *base;
};

/* Reads the header only. Returns what is wrong with the image, or NULL. */
static const char *look(struct picture *picture, double max_pixels) {
    VipsImage *image = vips_image_new_from_file(picture->path, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
    if (image == NULL) return vips_error_buffer();
    bool turned = vips_image_get_orientation_swap(image);
    picture->width = turned ? image->Ysize : image->Xsize;
    picture->height = turned ? image->Xsize : image->Ysize;
    picture->pages = vips_image_get_n_pages(image);
    picture->is_plain = vips_image_get_typeof(image, VIPS_META_ICC_NAME) == 0 && image->BandFmt == VIPS_FORMAT_UCHAR &&
                        (image->Type == VIPS_INTERPRETATION_sRGB || image->Type == VIPS_INTERPRETATION_B_W);
    g_object_unref(image);
    if ((double)picture->width * picture->height >= max_pixels) return "too many pixels";
    /* All frames of an animation are in memory at once. */
    if (picture->pages < 1 || picture->pages > frame_limit || (double)picture->width * picture->height * picture->pages >= max_pixels)
        picture->pages = 1;
    return NULL;
}

/* Cuts the middle out of every frame. */
static VipsImage *crop_frames(VipsImage *frames, int width, int height) {
    int page_height = vips_image_get_page_height(frames), count = frames->Ysize / page_height;
    int left = (frames->Xsize - width) / 2, top = (page_height - height) / 2;
    VipsImage **cut = g_new0(VipsImage *, count);
    VipsImage *joined = NULL, *result = NULL;
    bool is_whole = true;
    for (int i = 0; i < count && is_whole; i++)
        is_whole = vips_extract_area(frames, &cut[i], left, i * page_height + top, width, height, NULL) == 0;
    if (is_whole && vips_arrayjoin(cut, &joined, count, "across", 1, NULL) == 0 && vips_copy(joined, &result, NULL) == 0)
        vips_image_set_int(result, VIPS_META_PAGE_HEIGHT, height);
    for (int i = 0; i < count; i++)
        if (cut[i] != NULL) g_object_unref(cut[i]);
    g_free(cut);
    if (joined != NULL) g_object_unref(joined);
    return result;
}

/* The thumbnail of a picture that stands still. To decode it costs most: smaller thumbnails are made of the largest one. */
static VipsImage *shrink_still(struct picture *picture, bool is_crop, int width, int height) {
    VipsImage *image = NULL, *copy;
    VipsInteresting crop = is_crop ? VIPS_INTERESTING_CENTRE : VIPS_INTERESTING_NONE;
    /* A crop keeps the proportions by what it cuts off; who asks for a scaled image has worked them out. */
    VipsSize size = is_crop ? VIPS_SIZE_DOWN : VIPS_SIZE_FORCE;
    if (picture->base != NULL && picture->base->Xsize >= width && picture->base->Ysize >= height) {
        vips_thumbnail_image(picture->base, &image, width, "height", height, "size", size, "crop", crop, NULL);
        return image;
    }
    /* Without a profile that says otherwise there is nothing to convert. */
    int failed = picture->is_plain
                     ? vips_thumbnail(picture->path, &image, width, "height", height, "size", size, "crop", crop, "fail_on",
                                      VIPS_FAIL_ON_TRUNCATED, NULL)
                     : vips_thumbnail(picture->path, &image, width, "height", height, "size", size, "crop", crop, "fail_on",
                                      VIPS_FAIL_ON_TRUNCATED, "export_profile", "srgb", NULL);
    if (failed) return NULL;
    if (is_crop || (double)width * height > base_limit) return image;
    copy = vips_image_copy_memory(image);
    g_object_unref(image);
    if (copy == NULL) return NULL;
    if (picture->base != NULL) g_object_unref(picture->base);
    picture->base = copy;
    g_object_ref(copy);
    return copy;
}

/* The thumbnail, which is never larger than the image. */
static VipsImage *shrink(struct picture *picture, bool is_crop, int width, int height, bool is_animated) {
    VipsImage *image = NULL;
    width = VIPS_MIN(width, picture->width);
    height = VIPS_MIN(height, picture->height);
    if (!is_animated) return shrink_still(picture, is_crop, width, height);
    int scaled_width = width, scaled_height = height;
    if (is_crop) {
        if ((double)width * picture->height > (double)height * picture->width)
            scaled_height = VIPS_MAX(height, (int)((double)width * picture->height / picture->width));
        else
            scaled_width = VIPS_MAX(width, (int)((double)height * picture->width / picture->height));
    }
    char *all_frames = g_strdup_printf("%s[n=-1]", picture->path);
    int failed = vips_thumbnail(all_frames, &image, scaled_width, "height", scaled_height, "size", VIPS_SIZE_FORCE, "fail_on",
                                VIPS_FAIL_ON_TRUNCATED, NULL);
    g_free(all_frames);
    if (failed) return NULL;
    if (!is_crop) return image;
    VipsImage *cropped = crop_frames(image, width, height);
    g_object_unref(image);
    return cropped;
}

static int save(VipsImage *image, const char *format, const char *output) {
    if (strcmp(format, "webp") == 0) return vips_webpsave(image, output, "Q", 80, "strip", TRUE, NULL);
    if (strcmp(format, "png") == 0) return vips_pngsave(image, output, "strip", TRUE, NULL);
    return vips_jpegsave(image, output, "Q", 80, "strip", TRUE, "optimize_coding", TRUE, "background", vips_array_double_newv(1, 255.0), NULL);
}

static void make(struct picture *picture, char *line) {
    char method[8], format[8];
    int width, height, rest = 0;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%7s %d %d %7s %n", method, &width, &height, format, &rest) < 4 || rest == 0 || width < 1 || height < 1)
        return answer("failed", "not understood");
    const char *output = line + rest;
    bool is_animated = strcmp(format, "webp") == 0 && picture->pages > 1;
    VipsImage *image = shrink(picture, strcmp(method, "crop") == 0, width, height, is_animated);
    if (image == NULL) return answer("failed", vips_error_buffer());
    int failed = save(image, format, output);
    g_object_unref(image);
    if (failed) return answer("failed", vips_error_buffer());
    printf("done\n");
    fflush(stdout);
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: martlet-thumbnailer IMAGE MAX-PIXELS\n");
        return 2;
    }
    give_up_rights();
    /* Only this decoder is a module. The others are decoders that nobody may use, and to load them takes longer than a small thumbnail. */
    if (!is_heif(arguments[1])) setenv("VIPSHOME", "/nonexistent", 1);
    if (VIPS_INIT(arguments[0])) return 2;
    vips_concurrency_set(1);
    vips_cache_set_max(0);
    /* No code that is made while it runs: systems that forbid that are spared the attempt. */
    vips_vector_set_enabled(FALSE);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++) vips_operation_block_set(loaders[i], FALSE);

    struct picture picture = {.path = arguments[1]};
    const char *reason = look(&picture, atof(arguments[2]));
    if (reason != NULL) {
        answer("refused", reason);
        return 1;
    }
    printf("image %d %d %d\n", picture.width, picture.height, picture.pages);
    fflush(stdout);
    char line[8192];
    while (fgets(line, sizeof line, stdin) != NULL) make(&picture, line);
    return 0;
}
