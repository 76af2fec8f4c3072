-- What an opening gave, as its receipts name it: whatever becomes of the documents, both twins say the same for ever.
ALTER TABLE locker.opening ADD COLUMN documents jsonb;
UPDATE locker.opening o SET documents = (
    SELECT coalesce(jsonb_agg(jsonb_build_object('uri', d.uri, 'type', d.type, 'administration', d.administration)
                              || CASE WHEN sd.fields IS NULL
                                      THEN jsonb_build_object('sha256', encode(d.sha256, 'hex'))
                                      ELSE jsonb_build_object('fields', sd.fields) END
                              ORDER BY sd.position), '[]')
      FROM locker.share_document sd
      JOIN locker.document d ON d.owner = sd.owner AND d.document_id = sd.document_id
     WHERE sd.owner = o.owner AND sd.share_id = o.share_id);
