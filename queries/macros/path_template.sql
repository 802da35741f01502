-- The template of a path as the lake keeps it, in which numbers and ids are placeholders. A segment of digits and
-- signs is `{number}`, also before an extension, and so is a word of five digits or more. A UUID is `{token}`, and
-- so is a word of eight or more letters and digits with digits in two places. All else stays as it is.
create or replace macro path_template(path) as
case
    when regexp_matches(path, '[0-9]')
        then replace(
            replace(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(
                            regexp_replace(
                                regexp_replace(
                                    regexp_replace(
                                        regexp_replace(
                                            -- A slash both ends a segment and begins one; to \b, _ is a letter.
                                            -- No path has a space.
                                            replace(replace(path, '/', '//'), '_', ' _ '),
                                            '%[0-9A-Fa-f]{2}',
                                            ' \0 ',
                                            'g'
                                        ),
                                        '\b[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b',
                                        '{token}',
                                        'g'
                                    ),
                                    '/([0-9]+|\{number\})([ .,:;_+~-]*([0-9]+|\{number\}))*(/|\.[A-Za-z]|$)',
                                    '/{number}\4',
                                    'g'
                                ),
                                '\b[0-9]{5,}\b',
                                '{number}',
                                'g'
                            ),
                            '\b[A-Za-z]*[0-9]+[A-Za-z]+[0-9][0-9A-Za-z]*\b',
                            '  <\0>  ',
                            'g'
                        ),
                        '  <([0-9A-Za-z]{1,7})>  ',
                        '\1',
                        'g'
                    ),
                    '  <[0-9A-Za-z]+>  ',
                    '{token}',
                    'g'
                ),
                ' ',
                ''
            ),
            '//',
            '/'
        )
    else path
end;
